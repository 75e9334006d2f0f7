/// What a connection does whose session another client takes over: two that come back at once would take it from each other for ever,
/// several times a second.
///
/// MQTT 5 has the broker say so (reason 0x8E). mosquitto 2.0 closes without a word, so that it can only be guessed.
struct Takeovers {
    /// How a connection ended that the broker had accepted.
    enum End {
        /// The broker says that another client has the session now.
        case takenOver
        /// Without a word, after so long.
        case closed(after: Duration)
        case other
    }

    /// What to do about it.
    struct Verdict: Equatable {
        /// How long to leave the session to the other client.
        var pause: Duration
        /// It is known, and not guessed.
        var isCertain: Bool
        /// Whether the operator is told.
        var isTold: Bool
    }

    private var backoff = Backoff(first: .seconds(5), cap: .seconds(60))
    private var last: ContinuousClock.Instant?
    private var told: ContinuousClock.Instant?
    /// Short connections in a row.
    private var short = 0

    /// A connection that lasted longer was not taken over by somebody who was disconnected by it.
    private static let shortTime = Duration.seconds(10)
    /// So many in a row are no accident.
    private static let suspicious = 3
    /// A session that was kept for so long is nobody else's any more.
    private static let forgetting = Duration.seconds(600)
    private static let reminder = Duration.seconds(600)

    /// Whether somebody took the session lately: that each of them connects once more is no news then.
    func isUnderWay(at now: ContinuousClock.Instant) -> Bool { last.map { now - $0 < Self.forgetting } ?? false }

    /// - Parameter hasRival: another daemon is known to use the client id.
    /// - Returns: nil if it seems to be something else.
    mutating func ended(_ end: End, hasRival: Bool, at now: ContinuousClock.Instant) -> Verdict? {
        if last != nil, !isUnderWay(at: now) {
            backoff.reset()
            (last, told, short) = (nil, nil, 0)
        }
        switch end {
        case .takenOver: return happened(isCertain: true, at: now)
        case .closed(let lasted):
            short = lasted < Self.shortTime ? short + 1 : 0
            guard hasRival || last != nil || short >= Self.suspicious else { return nil }
            return happened(isCertain: hasRival, at: now)
        case .other:
            short = 0
            return nil
        }
    }

    private mutating func happened(isCertain: Bool, at now: ContinuousClock.Instant) -> Verdict {
        last = now
        let isTold = told.map { now - $0 >= Self.reminder } ?? true
        if isTold { told = now }
        return Verdict(pause: backoff.next(), isCertain: isCertain, isTold: isTold)
    }
}
