/// Disjoint time ranges in ascending order. Ranges that overlap, or that touch (no microsecond lies between them), are one.
struct TimeRangeSet: Equatable, Sendable {
    private(set) var ranges: [TimeRange] = []

    var isEmpty: Bool { ranges.isEmpty }

    func contains(_ timestamp: Timestamp) -> Bool {
        guard let last = ranges.last, timestamp <= last.last else { return false }
        if timestamp >= last.first { return true }
        let place = ranges.partitioningIndex { $0.last >= timestamp }
        return ranges[place].contains(timestamp)
    }

    mutating func insert(_ range: TimeRange) {
        // A stream window grows at its end: the usual case touches the last range only.
        guard let last = ranges.last, range.first.microseconds <= last.last.microseconds + 1 else {
            ranges.append(range)
            return
        }
        if range.first >= last.first {
            ranges[ranges.count - 1] = TimeRange(first: last.first, last: max(last.last, range.last))
            return
        }
        let lower = ranges.partitioningIndex { $0.last.microseconds + 1 >= range.first.microseconds }
        let upper = ranges.partitioningIndex { $0.first.microseconds > range.last.microseconds + 1 }
        var union = range
        for touched in ranges[lower..<upper] {
            union = TimeRange(first: min(union.first, touched.first), last: max(union.last, touched.last))
        }
        ranges.replaceSubrange(lower..<upper, with: CollectionOfOne(union))
    }
}
