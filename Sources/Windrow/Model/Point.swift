/// One measured value of one series.
///
/// Two 8-byte words without padding: the journal stores an array of points as its memory.
public struct Point: Equatable, Sendable {
    public var timestamp: Timestamp
    /// Finite, always: intake rejects NaN and infinities.
    public var value: Double

    @inlinable
    public init(timestamp: Timestamp, value: Double) {
        self.timestamp = timestamp
        self.value = value
    }
}

extension [Point] {
    /// Sorts the points from `first` on by time and keeps the last of each timestamp.
    /// - Returns: how many went.
    mutating func sortLastOfEach(from first: Int) -> Int {
        var ascends = true
        var i = first + 1
        while i < count {
            if self[i].timestamp <= self[i - 1].timestamp {
                ascends = false
                break
            }
            i += 1
        }
        if ascends { return 0 }

        // Swift's sort is not promised to be stable: the place in the message breaks ties.
        let order = (first..<count).sorted { (self[$0].timestamp, $0) < (self[$1].timestamp, $1) }
        var sorted: [Point] = []
        sorted.reserveCapacity(order.count)
        for place in order {
            if let last = sorted.last, last.timestamp == self[place].timestamp { sorted.removeLast() }
            sorted.append(self[place])
        }
        replaceSubrange(first..., with: sorted)
        return order.count - sorted.count
    }
}
