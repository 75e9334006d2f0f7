import Synchronization

/// Tells whether a thread is stuck: systemd's watchdog is fed only while none is.
final class Liveness: Sendable {
    /// When the work of each thread is too late.
    private let working = Mutex<[String: ContinuousClock.Instant]>([:])

    /// Longer than any piece of work takes that goes well.
    static let limit = Duration.seconds(60)

    /// Runs a piece of work, which counts as stuck when it takes longer than the limit.
    func working<R>(_ name: String, for limit: Duration = limit, _ body: () throws -> R) rethrows -> R {
        working.withLock { $0[name] = .now + limit }
        defer { working.withLock { $0[name] = nil } }
        return try body()
    }

    /// The threads whose work takes too long.
    var stuck: [String] {
        let now = ContinuousClock.now
        return working.withLock { $0.filter { now > $0.value }.keys.sorted() }
    }
}
