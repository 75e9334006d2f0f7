/// What a connection does whose session another client takes over: two that come back at once would take it from each other for ever,
/// many times a second.
struct Takeovers {
    private var backoff = Backoff(first: .seconds(5), cap: .seconds(60))
    private var last: ContinuousClock.Instant?
    private var told: ContinuousClock.Instant?

    /// A session that was kept for so long is nobody else's any more.
    private static let forgetting = Duration.seconds(600)
    private static let reminder = Duration.seconds(600)

    /// - Returns: how long to leave the session to the other client, and whether the operator is told.
    mutating func happened(at now: ContinuousClock.Instant) -> (pause: Duration, isTold: Bool) {
        if let last, now - last >= Self.forgetting {
            backoff.reset()
            told = nil
        }
        last = now
        let isTold = told.map { now - $0 >= Self.reminder } ?? true
        if isTold { told = now }
        return (backoff.next(), isTold)
    }
}
