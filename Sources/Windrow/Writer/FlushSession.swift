import LibPQ
import Synchronization

// What writes flushes, one after another: a connection, what is known of the database behind it, and the answer to the one question
// that a broken connection leaves open, whether COMMIT took effect: the position in the database tells.

/// One lane's connection to the database, opened when it is needed. One owner, one thread at a time.
struct FlushSession: ~Copyable {
    let database: DatabaseAccess
    /// Interrupts what the session waits for, from another thread.
    let interruption: Interruption

    private let purpose: String
    private let ticket: ConnectionLine.Ticket
    private let lane: Int
    private let journal: () -> NodeUUID
    private var connection: Connection?
    /// Set with the connection.
    private var flush: Flush?
    /// When it was seen last what `point` is.
    private var lookedAt = ContinuousClock.now
    /// Longer after a flush that took too long: it must be able to end some day.
    private(set) var statementTimeout: Duration
    private var newest: [SeriesID: Newest] = [:]
    /// Whether most points that were merged to overwrite found another value, the last time.
    private var expectsUpdates = false
    /// In which the connection writes.
    private var timeline: Timeline?
    /// Whether the connection is known to see all that was committed.
    private var isPlaced = false
    /// A flush took too long: the planner may take a table that was nearly empty when it last looked for one that still is, and
    /// read all of it for each point.
    private var doubtsStatistics = false
    /// What a flush would have done of which it is not known whether it was committed.
    private var inDoubt: Written?

    /// A flush that is committed, and what PostgreSQL has refused of it.
    typealias Written = (outcome: FlushOutcome, refused: [RefusedItem])

    /// Statements for another engine's table mostly work, slowly; after this the next flush looks what `point` is.
    private static let lookAgain = Duration.seconds(60)

    /// - Parameters:
    ///   - purpose: shown in `pg_stat_activity`.
    ///   - journal: what the positions are of; asked at each connection.
    init(
        _ database: DatabaseAccess, purpose: String, lane: Int, interruption: Interruption,
        journal: @escaping () -> NodeUUID
    ) {
        self.database = database
        ticket = database.server.makeTicket()
        self.purpose = purpose
        self.lane = lane
        self.interruption = interruption
        self.journal = journal
        statementTimeout = database.statementTimeout
    }

    /// Writes the windows and the position in one transaction; when it returns they are committed. After an error, `recover` comes
    /// before the next try, which is with the same windows and position.
    /// - Parameters:
    ///   - floor: the last position that the owner knows to be committed. A database that is behind it has lost something.
    ///   - timeline: in which the series' numbers were found; nil where the owner looks after that.
    ///   - keep: is given what PostgreSQL refuses for its content, before the rest is committed; when it throws, nothing is.
    /// - Throws: `OtherPast`, when the numbers or what was committed before are not this database's. Nothing is in doubt then.
    mutating func write(
        _ windows: [(id: SeriesID, window: PendingWindow)], through position: JournalPosition,
        after floor: JournalPosition = .start, resolvedIn timeline: Timeline? = nil,
        keep: ([RefusedItem], Connection) throws -> Void
    ) throws -> Written {
        let (connection, found) = try connected()
        var flush = found
        if let written = try place(connection, through: position, after: floor, resolvedIn: timeline) {
            return written
        }
        let unknown = windows.filter { newest[$0.id] == nil && !$0.window.points.isEmpty }
        if !unknown.isEmpty {
            newest.merge(try flush.newest(unknown, connection)) { _, found in found }
        }
        var committing: Written?
        // A connection that has survived has told how the flush ended.
        defer { inDoubt = connection.isUsable ? nil : committing }
        func run() throws(PostgresError) -> FlushOutcome {
            try flush.run(windows, newest: newest, expectsUpdates: expectsUpdates, through: position, on: connection) {
                committing = ($0, [])
            }
        }
        do throws(PostgresError) {
            do throws(PostgresError) {
                return (try run(), [])
            } catch {
                guard try mend(error, of: windows, &flush, connection) else { throw error }
                return (try run(), [])
            }
        } catch {
            guard error.verdict == .reject else {
                var error = error
                error.hint = error.hint ?? flush.hint(for: error)
                throw error
            }
        }
        func runIsolating() throws -> Written {
            var kept: [RefusedItem] = []
            let outcome = try flush.runIsolating(windows, through: position, on: connection) { outcome, refused in
                if !refused.isEmpty { try keep(refused, connection) }
                kept = refused
                committing = (outcome, refused)
            }
            return (outcome, kept)
        }
        do {
            return try runIsolating()
        } catch let error as PostgresError {
            guard try mend(error, of: windows, &flush, connection) else { throw error }
            return try runIsolating()
        }
    }

    /// Makes the partitions that points had none of, and looks whether `point` is still what it was when the session began.
    /// - Returns: false when the flush did not fail for that.
    private mutating func mend(
        _ error: PostgresError, of windows: [(id: SeriesID, window: PendingWindow)], _ flush: inout Flush,
        _ connection: Connection
    ) throws(PostgresError) -> Bool {
        guard error.verdict == .stop else { return false }
        let renewed = try renewed(flush, connection)
        if let renewed { flush = renewed }
        guard error.isMissingPartition else { return renewed != nil }
        return try PartitionSet(database.schema).make(
            for: windows.lazy.flatMap { $0.window.points.lazy.map(\.timestamp) }, connection)
    }

    /// Before the first flush on a connection: finds what became of the one before it, and whether the database has the past in which
    /// this flush was made up.
    /// - Returns: the flush through `position`, if it was in doubt and is committed.
    private mutating func place(
        _ connection: Connection, through position: JournalPosition, after floor: JournalPosition,
        resolvedIn timeline: Timeline?
    ) throws -> Written? {
        if isPlaced { return nil }
        let positions = LanePositions(schema: database.schema, journal: journal())
        let stored = try positions.load(lane: lane, connection) ?? .start
        let committed = stored >= position ? inDoubt : nil
        inDoubt = nil
        if let committed { return committed }
        guard stored >= floor, timeline == nil || timeline == self.timeline else { throw OtherPast() }
        isPlaced = true
        return nil
    }

    /// Whether it is not known if the last flush was committed.
    var isInDoubt: Bool { inDoubt != nil }

    /// Learns from a flush that is committed.
    mutating func committed(_ windows: [(id: SeriesID, window: PendingWindow)], _ outcome: FlushOutcome) {
        for (id, window) in windows {
            if outcome.wasMergedWhole {
                // Another writer is ahead in one of them: ask again.
                newest[id] = nil
                continue
            }
            guard let last = window.points.last?.timestamp else { continue }
            if case .at(let known) = newest[id], known >= last { continue }
            newest[id] = .at(last)
        }
        let mergedAsNew = outcome.inserted - outcome.copied
        if outcome.updated + mergedAsNew > 0 { expectsUpdates = outcome.updated > mergedAsNew }
        if statementTimeout != database.statementTimeout {
            statementTimeout = database.statementTimeout
            close()
        }
    }

    /// Readies the next try. A server that has turned read-only, or that a lock or a lost privilege blocks, may not be the one
    /// that the next connection finds.
    mutating func recover(from error: any Error) {
        guard let error = error as? PostgresError else { return }
        if error.sqlState == .queryCanceled || error.kind == .timedOut {
            statementTimeout = min(statementTimeout * 2, .seconds(3600))
            doubtsStatistics = true
        }
        if error.sqlState == .deadlockDetected || error.sqlState == .serializationFailure, connection?.isUsable == true
        {
            return
        }
        close()
    }

    var isConnected: Bool { connection != nil }

    mutating func close() {
        connection?.close()
        connection = nil
        newest = [:]
    }

    private mutating func connected() throws -> (Connection, Flush) {
        if let connection, let flush, connection.isUsable {
            guard .now - lookedAt > Self.lookAgain else { return (connection, flush) }
            return (connection, try renewed(flush, connection) ?? flush)
        }
        var database = database
        database.statementTimeout = statementTimeout
        let fresh = try database.connect(purpose, ticket)
        // From the first statement on: a server may hang at any of them.
        interruption.watch(fresh)
        // Every statement of a flush finds its rows by primary key. A planner with stale statistics must not read the table, nor have
        // machine code made for what it thinks costly.
        try fresh.script(
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off")
        try database.commit.apply(to: fresh)
        timeline = try Timeline(of: fresh)
        isPlaced = false
        let engine = try database.schema.engine(fresh) ?? .plain
        if doubtsStatistics, engine == .plain {
            try fresh.execute("ANALYZE (SKIP_LOCKED) \(database.schema.qualified("point"))")
        }
        doubtsStatistics = false
        let flush = try flush(engine, fresh)
        // Another server may know other points than the last one.
        newest.removeAll()
        connection = fresh
        self.flush = flush
        lookedAt = .now
        return (fresh, flush)
    }

    /// The statements for what `point` is now, if `windrow migrate` has put another engine's table in its place since the last look.
    private mutating func renewed(_ flush: Flush, _ connection: Connection) throws(PostgresError) -> Flush? {
        lookedAt = .now
        guard let engine = try database.schema.engine(connection), engine != flush.engine else { return nil }
        let renewed = try self.flush(engine, connection)
        self.flush = renewed
        return renewed
    }

    private func flush(_ engine: PointEngine, _ connection: Connection) throws(PostgresError) -> Flush {
        if engine == .timescaledb {
            // A flush into compressed chunks must not fail for its size. Older versions know no such limit.
            try connection.execute(
                """
                SELECT set_config(name, '0', false) FROM pg_settings
                WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'
                """)
        }
        return Flush(schema: database.schema, journal: journal(), lane: lane, engine: engine)
    }
}

/// Ends, from any thread, what a session waits for, whichever connection it has just then.
final class Interruption: Sendable {
    private let current = Mutex<Interrupter?>(nil)

    func watch(_ connection: Connection) {
        let interrupter = connection.interrupter
        current.withLock { $0 = interrupter }
    }

    func interrupt() {
        current.withLock { $0?.interrupt() }
    }
}
