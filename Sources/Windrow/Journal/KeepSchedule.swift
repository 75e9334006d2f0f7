import DequeModule

/// How long batches that PostgreSQL has stay in the journal. Pure: the caller brings the time.
///
/// Nothing is remembered over a restart: what is kept then counts as committed at the start.
struct KeepSchedule: Sendable {
    /// Up to a position, all batches were committed at this time at the latest.
    private var samples: Deque<(at: ContinuousClock.Instant, position: JournalPosition)> = []
    private var due = JournalPosition.start

    /// Of what is remembered, however long batches are kept.
    private static let mostSamples = 512
    private static let shortestStep = Duration.seconds(1)

    var sampleCount: Int { samples.count }

    /// - Parameter committed: all batches up to here are in PostgreSQL.
    /// - Returns: up to where they have been there for `keep`.
    mutating func due(
        _ committed: JournalPosition, keep: Duration, at now: ContinuousClock.Instant
    ) -> JournalPosition {
        guard keep > .zero else {
            samples.removeAll()
            due = committed
            return due
        }
        let step = max(Self.shortestStep, keep / Self.mostSamples)
        let isDue = samples.last.map { now - $0.at >= step } ?? true
        if isDue, committed > samples.last?.position ?? due { samples.append((now, committed)) }
        while let first = samples.first, now - first.at >= keep {
            due = first.position
            samples.removeFirst()
        }
        return due
    }

    /// The database has lost what it had committed after this position.
    mutating func rewind(to position: JournalPosition) {
        samples.removeAll { $0.position > position }
        due = min(due, position)
    }
}
