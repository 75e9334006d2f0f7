/// When the journal will be full if it goes on growing as it did in the last minutes, and what of that the log should be told.
/// Pure: the caller brings the time.
struct JournalForecast: Sendable {
    /// nil while the journal does not grow.
    private(set) var timeUntilFull: Duration?

    private var samples: [(at: ContinuousClock.Instant, bytes: Int)] = []
    /// The place in `milestones` that was told last.
    private var told: Int?

    /// Of the journal, before the log is told.
    private static let leastShare = 0.1
    /// How far growth is looked back upon.
    private static let span = Duration.seconds(120)
    /// A shorter look back says nothing.
    private static let shortestSpan = Duration.seconds(20)
    /// At both ends the least of this long counts: a journal that is trimmed every second goes up and down all the time.
    private static let edge = Duration.seconds(5)
    /// Times left at which the log is told, each once an outage.
    private static let milestones: [Duration] = [
        .seconds(86_400), .seconds(6 * 3600), .seconds(3600), .seconds(1800), .seconds(600), .seconds(120),
    ]

    /// - Parameters:
    ///   - bytes: in use.
    ///   - room: bytes that may still be added before intake pauses.
    /// - Returns: true when the log should be told how little time is left.
    mutating func sample(bytes: Int, room: Int, at now: ContinuousClock.Instant) -> Bool {
        samples.append((now, bytes))
        if let kept = samples.lastIndex(where: { now - $0.at >= Self.span }) { samples.removeFirst(kept) }
        let began = samples[0].at
        let before = samples.lazy.filter { $0.at - began <= Self.edge }.map(\.bytes).min() ?? bytes
        let after = samples.lazy.filter { now - $0.at <= Self.edge }.map(\.bytes).min() ?? bytes
        guard now - began >= Self.shortestSpan, after > before else {
            timeUntilFull = nil
            // It shrinks: the next outage is a new one.
            if after < before { told = nil }
            return false
        }
        let left = (now - began - Self.edge) * (Double(max(room, 0)) / Double(after - before))
        timeUntilFull = left
        // A journal with little in it is no news, however fast a moment has filled it.
        guard Double(bytes) >= Self.leastShare * Double(bytes + max(room, 0)) else { return false }
        guard let reached = Self.milestones.lastIndex(where: { left <= $0 }), told.map({ reached > $0 }) ?? true else {
            return false
        }
        told = reached
        return true
    }
}
