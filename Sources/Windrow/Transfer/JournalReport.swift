import LibPQ

/// What waits in a domain's journal.
public struct JournalReport: Sendable, Encodable {
    public var domain: String
    public var path: String
    public var daemonRuns: Bool
    /// Of the file and its log, on the disk.
    public var bytes: Int
    public var maxBytes: Int
    /// Up to where PostgreSQL has all batches; nil when it cannot be asked, or knows nothing of this journal.
    public var writtenThrough: Int64?
    /// Why it cannot be asked.
    public var postgresError: String?
    /// Batches that PostgreSQL has, and that are kept for a failover. As the daemon knew it last, if PostgreSQL cannot be asked.
    public var keptBatches = 0
    /// Batches that PostgreSQL does not have as a whole. What follows is of them.
    public var batches = 0
    public var records = 0
    public var points = 0
    public var series = 0
    public var firstPosition: Int64?
    public var lastPosition: Int64?
    public var oldestPoint: String?
    public var newestPoint: String?
    public var damagedBatches = 0
    /// In the damaged batches.
    public var damagedPoints = 0
    public var deadLetters: Int

    /// - Throws: `JournalError`.
    public init(_ view: JournalView, of domain: Configuration.Domain, _ journal: JournalConfiguration) throws {
        self.domain = domain.name
        path = view.path
        daemonRuns = view.isDaemonRunning
        bytes = view.size
        maxBytes = Int(journal.maxSize)
        deadLetters = try view.deadLetterCount()
        let written = WrittenPosition(of: view, in: domain)
        writtenThrough = written.position?.number
        postgresError = written.obstacle
        let position = written.position ?? (written.obstacle == nil ? nil : view.note?.through) ?? .start
        keptBatches = try view.batchCount(through: position)
        var names: Set<SeriesName> = []
        var (oldest, newest) = (Timestamp.latest, Timestamp.earliest)
        try view.forEach(after: position) { item in
            batches += 1
            firstPosition = firstPosition ?? item.position.number
            lastPosition = item.position.number
            guard let batch = item.batch else {
                damagedBatches += 1
                damagedPoints += item.points
                return
            }
            records += batch.recordCount
            points += batch.points.count
            names.formUnion(batch.series)
            for point in batch.points {
                oldest = min(oldest, point.timestamp)
                newest = max(newest, point.timestamp)
            }
        }
        series = names.count
        if oldest <= newest { (oldestPoint, newestPoint) = ("\(oldest)", "\(newest)") }
    }
}

/// Up to where PostgreSQL has a journal's batches, as far as it can be asked.
struct WrittenPosition {
    var position: JournalPosition?
    var obstacle: String?

    init(of view: JournalView, in domain: Configuration.Domain) {
        do {
            let schema = try Schema(domain.schema)
            let connection = try DatabaseAccess(connectionString: domain.postgres, schema: schema).connect("journal")
            // Before the first start there is no schema.
            guard try schema.installedVersion(connection) > 0 else { return }
            let stored = try LanePositions(schema: schema, journal: view.uuid).stored(connection)
            position = stored.values.min()
            if let lowest = position, let note = view.note,
                note.lanes.enumerated().allSatisfy({ $0.element <= stored[$0.offset] ?? .start })
            {
                // A lane that had nothing to write stands far behind.
                position = max(lowest, note.through)
            }
        } catch {
            obstacle = "\(error)"
        }
    }
}
