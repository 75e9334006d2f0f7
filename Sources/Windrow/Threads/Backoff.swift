/// How long to wait before the next try: doubling up to a cap, with jitter so that daemons that lost the same server do not
/// come back in step.
struct Backoff: Sendable {
    let first: Duration
    let cap: Duration
    private var current: Duration

    init(first: Duration, cap: Duration) {
        self.first = first
        self.cap = cap
        current = first
    }

    /// Half to all of the current step; the step doubles for the next time.
    mutating func next() -> Duration {
        let step = current
        current = min(current * 2, cap)
        return step * Double.random(in: 0.5...1)
    }

    mutating func reset() {
        current = first
    }
}
