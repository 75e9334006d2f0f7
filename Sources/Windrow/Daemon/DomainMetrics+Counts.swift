import HTTPTypes

extension DomainMetrics {
    /// All that is counted in a domain, at one moment.
    struct Counts: Equatable, Sendable {
        var messages = 0
        var retainedSkipped = 0
        var records = 0
        var received = 0
        var replayed = 0
        var inserted = 0
        var updated = 0
        var kept = 0
        var superseded = 0
        var rejected = 0
        var pending = 0
        /// Of the pending ones, those that lanes have dropped and that come to them once more.
        var dropped = 0
        var deleted = 0
        var copied = 0
        /// Messages and records, by reason.
        var rejections: [Rejection.Reason: Int] = [:]
        var rewinds = 0
        var lostPositions = 0
        var flushes = 0
        var flushesMergedWhole = 0
        var flushFailures: [FlushFailure: Int] = [:]
        var appendFailures = 0
        /// HTTP requests, by the status of their answer.
        var requests: [Int: Int] = [:]
        /// By the name of the connection.
        var brokers: [String: BrokerCounts] = [:]
        var lanes: [LaneCounts] = []

        /// Points of each transaction of the journal that accepts records.
        var batchPoints = Histogram(.points)
        /// What such a transaction takes until it is on the disk.
        var appendTime = Histogram(.seconds)
        /// What a flush takes, of several tries the one that is committed.
        var flushTime = Histogram(.seconds)
        /// For each point, from the receipt of its batch's first record to its commit to PostgreSQL. Without points that an earlier run
        /// received.
        var commitDelay = Histogram(.seconds)
        /// From a request's head until its answer begins.
        var requestTime: [RequestKind: Histogram] = [:]

        /// - Returns: how many of these points are pending already.
        mutating func takeDropped(_ points: Int) -> Int {
            let known = min(points, dropped)
            dropped -= known
            return known
        }
    }

    struct BrokerCounts: Equatable, Sendable {
        var isConnected = false
        var connections = 0
        var messages = 0
        /// Before the first one, when the daemon began to listen.
        var lastMessage = Timestamp.now
        /// Of the certificate that is shown to the broker, if there is one.
        var certificateExpiry: Timestamp?
    }

    struct LaneCounts: Equatable, Sendable {
        /// Points that the lane was given and has not committed.
        var pending = 0
        /// Since when a flush is due; nil while none is.
        var dueSince: ContinuousClock.Instant?
    }

    /// What requests are told apart by: few kinds, whatever clients send.
    struct RequestKind: Hashable, Comparable, Sendable {
        enum Method: String, Sendable {
            case get = "GET"
            case post = "POST"
            case other
        }

        var method: Method
        /// The status' first digit.
        var statusClass: Int

        init(_ method: HTTPRequest.Method, status: Int) {
            self.method = Method(rawValue: method.rawValue) ?? .other
            statusClass = status / 100
        }

        static func < (a: RequestKind, b: RequestKind) -> Bool {
            (a.method.rawValue, a.statusClass) < (b.method.rawValue, b.statusClass)
        }
    }
}
