import DequeModule

/// When batches were received that wait in the journal only, whose format does not say it. For metrics: what is left out to bound
/// the memory makes a time too early by a thousandth of the whole wait.
struct ReceptionTimes: Sendable {
    /// From a position on, until the next mark's, batches were received at about this time.
    private var marks: Deque<(from: JournalPosition, time: ContinuousClock.Instant)> = []
    private var step = Self.firstStep

    /// Between marks, in time.
    private static let firstStep = Duration.milliseconds(10)
    private static let limit = 4096

    /// Positions come in ascending order.
    mutating func note(_ time: ContinuousClock.Instant, at position: JournalPosition) {
        if let last = marks.last, time - last.time < step { return }
        marks.append((position, time))
        guard marks.count > Self.limit else { return }
        step = max(step, (time - marks[0].time) / (Self.limit / 2))
        var kept: Deque = [marks[0]]
        for mark in marks where mark.time - kept[kept.count - 1].time >= step { kept.append(mark) }
        marks = kept
    }

    /// The time of a batch; nil when it is of an earlier run. Forgets what is needed only for the batches before it.
    mutating func take(at position: JournalPosition) -> ContinuousClock.Instant? {
        while marks.count > 1, marks[1].from <= position { marks.removeFirst() }
        return marks.first.flatMap { $0.from <= position ? $0.time : nil }
    }

    mutating func removeAll() {
        marks.removeAll()
        step = Self.firstStep
    }
}
