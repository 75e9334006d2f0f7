/// The figures of a domain in the last 15 minutes, one sample every five seconds: 4 KiB, whatever happens.
struct StatusHistory: Sendable {
    struct Sample: Equatable, Sendable {
        /// Points a second that came in.
        var received: Float = 0
        /// Points a second that left: stored, or found to be stored or superseded.
        var settled: Float = 0
        /// Points accepted and not in PostgreSQL.
        var pending: Float = 0
        var journalBytes: Float = 0
        /// Seconds that half of the last minute's flushes took at most; nil when there was none.
        var flushMedian: Float?
        /// Of 99 in 100.
        var flushSlowest: Float?
    }

    static let step = Duration.seconds(5)
    static let capacity = 180

    private var ring: [Sample] = []
    /// The place of the oldest sample, once the ring is full.
    private var oldest = 0

    mutating func append(_ sample: Sample) {
        if ring.count < Self.capacity {
            ring.append(sample)
        } else {
            ring[oldest] = sample
            oldest = (oldest + 1) % Self.capacity
        }
    }

    /// The oldest first.
    var samples: [Sample] { Array(ring[oldest...] + ring[..<oldest]) }
    var last: Sample? { ring.isEmpty ? nil : ring[(oldest + ring.count - 1) % ring.count] }
}
