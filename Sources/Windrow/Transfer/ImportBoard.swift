/// What the threads of an import share: blocks on their way to the lanes, and what became of them.
struct ImportBoard: Sendable {
    /// Blocks that a lane has not taken yet, by lane.
    var waiting: [[ParsedBlock]]
    /// No block follows.
    var isClosed = false
    /// The operator does not want to wait for a database that is away.
    var isInterrupted = false
    /// Up to where each lane has committed.
    var committed: [JournalPosition]
    var totals = ImportTotals()
    var running: Int
    /// The first one; it ends the import.
    var failure: (any Error)?
    /// Why a lane waits, as long as it does.
    var obstacle: String?

    init(committed: [JournalPosition]) {
        waiting = committed.map { _ in [] }
        self.committed = committed
        running = committed.count
    }

    /// All lanes have committed up to there.
    var committedByAll: JournalPosition { committed.min() ?? .start }
}

/// What became of points; all that lanes were given and have committed is in one of the first five.
public struct ImportTotals: Equatable, Sendable {
    /// Stored where there was none.
    public internal(set) var inserted = 0
    /// Stored over another value.
    public internal(set) var updated = 0
    /// Not stored: an insert yielded to a stored point, or an update found the same value there.
    public internal(set) var kept = 0
    /// Another point of the input at the same timestamp counts.
    public internal(set) var superseded = 0
    /// Refused by PostgreSQL for their content.
    public internal(set) var refused = 0
    /// Points that were stored before and deleted by a window.
    public internal(set) var deleted = 0
    /// Windows that had points to delete.
    public internal(set) var emptied = 0

    /// All points that were read and dealt with.
    public var points: Int { inserted + updated + kept + superseded + refused }

    mutating func add(_ other: ImportTotals) {
        inserted += other.inserted
        updated += other.updated
        kept += other.kept
        superseded += other.superseded
        refused += other.refused
        deleted += other.deleted
        emptied += other.emptied
    }

    mutating func add(_ outcome: FlushOutcome) {
        inserted += outcome.inserted
        updated += outcome.updated
        kept += outcome.kept
        superseded += outcome.superseded
        refused += outcome.refused
        deleted += outcome.deletions.reduce(0) { $0 + $1.deleted }
        emptied += outcome.deletions.count { $0.deleted > 0 }
    }
}
