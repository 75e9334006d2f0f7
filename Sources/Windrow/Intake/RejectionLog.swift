import Logging

/// Tells the log about rejected messages without letting a broken sender flood it: of each reason an example, at most every ten
/// seconds. Every one of them is kept as a dead letter and counted.
struct RejectionLog {
    private var entries: [Rejection.Reason: (loggedAt: ContinuousClock.Instant, since: Int)] = [:]
    private static let interval = Duration.seconds(10)

    mutating func rejected(_ letter: DeadLetter, _ log: Logger) {
        let now = ContinuousClock.now
        if let entry = entries[letter.reason], now - entry.loggedAt < Self.interval {
            entries[letter.reason] = (entry.loggedAt, entry.since + 1)
            return
        }
        var metadata: Logger.Metadata = [
            "reason": "\(letter.reason.rawValue)", "topic": "\(letter.topic.prefix(200))", "detail": "\(letter.detail)",
        ]
        if let since = entries[letter.reason]?.since, since > 0 { metadata["others"] = "\(since)" }
        entries[letter.reason] = (now, 0)
        log.warning("message rejected and kept as a dead letter", metadata: metadata)
    }
}
