import LibPQ

/// The class of what kept a flush from being committed. The raw values are stable: they label metrics.
enum FlushFailure: String, CaseIterable, Sendable {
    /// PostgreSQL is not reached, or the connection broke.
    case unreachable
    /// It passes by itself: a deadlock, say, or a full disk.
    case transient
    /// The database is not as it must be, and somebody has to change it.
    case database
    /// Points that PostgreSQL refuses cannot be kept as dead letters.
    case journal

    init(_ error: any Error) {
        guard let error = error as? PostgresError else {
            self = .journal
            return
        }
        self = error.endsConnection ? .unreachable : error.verdict == .retry ? .transient : .database
    }
}
