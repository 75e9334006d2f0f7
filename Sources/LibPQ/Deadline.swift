/// A moment on the monotonic clock, which no clock adjustment moves.
struct Deadline {
    /// From when it was set.
    let duration: Duration
    private let instant: SuspendingClock.Instant

    init(after duration: Duration) {
        self.duration = duration
        instant = .now + duration
    }

    /// What is left, rounded up, for `poll(2)`; 0 once it has passed.
    var milliseconds: Int32 {
        let left = SuspendingClock.Instant.now.duration(to: instant)
        guard left > .zero else { return 0 }
        return Int32(clamping: left.milliseconds)
    }
}

extension Duration {
    /// Whole milliseconds, rounded up. For durations well within `Int64` milliseconds.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
