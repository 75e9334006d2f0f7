import Synchronization

/// What some gateways have done so far, and how they are.
struct Tally: Sendable {
    var sentMessages = 0
    var sentPoints = 0
    var sentBytes = 0
    var acknowledgedMessages = 0
    var acknowledgedPoints = 0
    /// Taken by a broker that had nobody to give them to.
    var unheardPoints = 0
    var refusedPoints = 0
    /// Requests that were answered before PostgreSQL had them.
    var lateAnswers = 0
    /// Requests that had to be sent again, as the server said.
    var postponed = 0
    /// Connections that broke or did not come about, drop-outs not counted.
    var failures = 0
    var gateways = 0
    var connected = 0
    var away = 0
    var finished = 0
    var waitingPoints = 0
    var latency = Histogram()

    static func += (left: inout Tally, right: Tally) {
        left.sentMessages += right.sentMessages
        left.sentPoints += right.sentPoints
        left.sentBytes += right.sentBytes
        left.acknowledgedMessages += right.acknowledgedMessages
        left.acknowledgedPoints += right.acknowledgedPoints
        left.unheardPoints += right.unheardPoints
        left.refusedPoints += right.refusedPoints
        left.lateAnswers += right.lateAnswers
        left.postponed += right.postponed
        left.failures += right.failures
        left.gateways += right.gateways
        left.connected += right.connected
        left.away += right.away
        left.finished += right.finished
        left.waitingPoints += right.waitingPoints
        left.latency += right.latency
    }
}

/// How long things took: counts by microseconds, an eighth apart.
struct Histogram: Sendable, Equatable {
    private var counts = [Int](repeating: 0, count: 8 * 40)
    private(set) var total = 0

    mutating func add(microseconds: Int64, times: Int = 1) {
        counts[Self.place(microseconds)] += times
        total += times
    }

    private static func place(_ microseconds: Int64) -> Int {
        let value = UInt64(max(microseconds, 0))
        guard value >= 8 else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return min((exponent - 2) * 8 + Int(value >> UInt64(exponent - 3) & 7), 8 * 40 - 1)
    }

    /// The upper end of a place's values, in microseconds.
    private static func bound(_ place: Int) -> Double {
        guard place >= 8 else { return Double(place + 1) }
        let exponent = place / 8 + 2
        return Double(9 + place % 8) * Double(UInt64(1) << UInt64(exponent - 3))
    }

    /// Milliseconds that a share of them took at most; nil if there are none.
    func milliseconds(_ share: Double) -> Double? {
        guard total > 0 else { return nil }
        let wanted = Int((share * Double(total)).rounded(.up))
        var sum = 0
        for (place, count) in counts.enumerated() {
            sum += count
            if sum >= wanted, count > 0 { return Self.bound(place) / 1000 }
        }
        return nil
    }

    static func += (left: inout Histogram, right: Histogram) {
        for place in left.counts.indices { left.counts[place] += right.counts[place] }
        left.total += right.total
    }

    /// What was added since.
    func since(_ earlier: Histogram) -> Histogram {
        var difference = self
        for place in counts.indices { difference.counts[place] -= earlier.counts[place] }
        difference.total -= earlier.total
        return difference
    }
}

/// What went wrong, each kind once with its count.
struct Troubles: Sendable {
    private(set) var counts: [(text: String, count: Int)] = []
    private static let limit = 20

    mutating func note(_ text: String, _ count: Int = 1) {
        if let place = counts.firstIndex(where: { $0.text == text }) {
            counts[place].count += count
        } else if counts.count < Self.limit {
            counts.append((text, count))
        } else {
            counts[Self.limit - 1] = ("and others", counts[Self.limit - 1].count + count)
        }
    }

    static func += (left: inout Troubles, right: Troubles) {
        for (text, count) in right.counts { left.note(text, count) }
    }
}

/// A worker's report, which others may look at while it works.
struct Report: Sendable {
    var tally = Tally()
    var troubles = Troubles()
    /// Of each of the worker's gateways: the position that all before is sent, and acknowledged.
    var positions: [Position] = []

    struct Position: Sendable {
        var gateway: Int
        var sent: Int
    }
}
