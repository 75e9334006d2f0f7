import LibPQ
import Logging
import Synchronization

// Takes accepted batches in the order of the journal, finds the number of each series, and gives each lane its edits. It also
// trims the journal behind the lanes.
//
// All its state can be had again: after a crash it starts where the lanes' positions in the database say. So it does, in mid-run, when
// a failover has put another timeline, or a database that is behind, in the place of the one that it knew: it rewinds. Everything that
// was found there is found anew, and no lane writes what was found in another timeline than its own connection's.

/// Distributes a domain's batches over its lanes.
actor Dispatcher {
    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let domain: Live<Configuration.Domain>
    private let database: DatabaseAccess
    private let migrates: Bool
    private let journal: Journal
    private let handoff: Handoff
    private let lanes: [Lane]
    private let progress: Progress
    private let budget: MemoryBudget
    private let receipts: Receipts
    private let presence: Presence
    private let metrics: DomainMetrics
    private let reporter: DatabaseReporter
    private let log: Logger
    private let hasSeveralHosts: Bool

    private var catalog: Catalog
    private var rejectionLog = RejectionLog()
    /// Of the connection.
    private let interrupter = Mutex<Interrupter?>(nil)
    private var connection: Connection?
    private let ticket: ConnectionLine.Ticket
    /// When batches came the last time.
    private var workedAt: ContinuousClock.Instant?
    /// When it was last seen whether the database can be reached, and whether it could.
    private let lastLook = Mutex<(at: ContinuousClock.Instant, succeeded: Bool)>((.now, false))
    /// On the connection.
    private var databasePresence: DatabasePresence
    /// The last batch given to the lanes.
    private var position = JournalPosition.start
    /// What each lane had committed before this start, or the last rewind: it is not given that again.
    private var committedBefore: [JournalPosition] = []
    /// Up to here points come that were counted before, by an earlier run or before a rewind.
    private var replayThrough: JournalPosition
    /// Of the catalog's connection; nil before the first one.
    private var timeline: Timeline?
    /// Whether a connection has to prove that it sees what the one before it saw.
    private var hasPast = false
    /// How long a statement is waited for, where another host may have taken over.
    private var patience = leastPatience
    /// When the database was last asked anything.
    private var askedAt = ContinuousClock.now
    private var schedule = KeepSchedule()
    /// Up to where the journal knows that it is committed.
    private var noted = JournalPosition.start
    private var trimmedAt = ContinuousClock.now
    private let stopping = Monitor(false)

    /// Bytes read back from the journal at a time.
    private static let readSize = 4 << 20
    /// Between two trims, each of which is a transaction of its own.
    private static let trimInterval = Duration.seconds(1)
    /// Between two looks at a database from which nothing is wanted just now, while there is a connection; and while it is away.
    private static let probeInterval = Duration.seconds(5)
    /// Of several hosts another one may take over, while this one hangs and so keeps everybody waiting.
    private static let promptProbeInterval = Duration.seconds(1)
    private static let promptProbeTime = Duration.seconds(2)
    /// Of several hosts, how long a statement is waited for; longer after one that took longer: there may be much to do.
    private static let leastPatience = Duration.seconds(3)
    private static let mostPatience = Duration.seconds(65)

    init(
        domain: Live<Configuration.Domain>, database: DatabaseAccess, migrates: Bool, nodes: NodeIdentities,
        journal: Journal, handoff: Handoff, lanes: [Lane], progress: Progress, budget: MemoryBudget, receipts: Receipts,
        presence: Presence, runID: String, metrics: DomainMetrics,
        health: DomainHealth, log: Logger
    ) {
        executor = ThreadExecutor(name: "dispatch \(domain.current.name)")
        self.domain = domain
        self.database = database
        self.migrates = migrates
        catalog = Catalog(
            schema: database.schema, createsNodes: domain.current.unknownNodes == .create, identities: nodes)
        self.journal = journal
        replayThrough = journal.lastPositionAtOpen
        hasSeveralHosts = database.hasSeveralHosts
        self.handoff = handoff
        self.lanes = lanes
        self.progress = progress
        self.budget = budget
        self.receipts = receipts
        self.presence = presence
        databasePresence = DatabasePresence(presence, schema: database.schema, runID: runID, log: log)
        self.metrics = metrics
        reporter = DatabaseReporter(component: "catalog", server: database.server, health: health, log: log)
        ticket = database.server.makeTicket()
        self.log = log
    }

    /// Ends the waiting for batches, for memory and for the database.
    nonisolated func stop() {
        handoff.stop()
        budget.stop()
        stopping.withLock { $0 = true }
    }

    /// Ends what PostgreSQL holds up. Comes after `stop`, or it would only be tried again.
    nonisolated func interrupt() {
        interrupter.withLock { $0?.interrupt() }
    }

    /// Dispatches until `stop()`.
    func run() async {
        guard start() else { return }
        loop: while true {
            attend()
            let goesOn: Bool
            let timeout = noted < position ? min(Self.trimInterval, probeInterval) : probeInterval
            switch handoff.next(after: position, timeout: timeout) {
            case .batches(let batches):
                workedAt = .now
                goesOn = batches.allSatisfy(dispatch)
            case .readJournal: goesOn = readJournal()
            case .rewind: goesOn = false
            case .look:
                goesOn = true
                look()
            case .nothing:
                goesOn = true
                await rest()
            case .stopped: break loop
            }
            if !goesOn { guard handoff.isRewindWanted, rewind() else { break loop } }
            yieldConnection()
            // A busy one that knows all its series asks for nothing, and would not notice that its locks are gone.
            if hasSeveralHosts && connection != nil || presence.mayBeInGroups { probeIfDue() }
            trim(every: Self.trimInterval)
        }
        disconnect()
    }

    /// Nothing came for a while: gives up the connection when it was not used for long, and then the thread, too.
    private func rest() async {
        // Others rely on what its locks tell, and it may have to leave a group at any moment.
        if presence.mayBeInGroups { return }
        if connection != nil {
            guard isIdle else { return probeIfDue() }
            disconnect()
        }
        // What the lanes have not committed yet is trimmed later.
        guard noted >= position, journal.trimmed >= position else { return }
        await handoff.change(after: position)
        // While nobody watched the server, another may have taken its place, with other numbers.
        if isIdle { catalog.forget() }
    }

    private var isIdle: Bool { workedAt.map { .now - $0 > DatabaseAccess.patience } ?? true }

    /// Gives up the connection if others wait for one: whoever kept it, with nothing to look up, would have them wait for ever. The numbers
    /// that are known stay known: lanes look whether they are of the same past.
    private func yieldConnection() {
        guard let connection, database.server.wantsConnection else { return }
        databasePresence.withdraw(connection)
        disconnect()
        askedAt = .now
    }

    /// Deletes from the journal what all lanes have committed, once it has been kept for long enough. Failing is harmless: the next
    /// trim does its work too.
    func trim(every interval: Duration = .zero) {
        let committed = progress.trimmable
        let keep = journal.bounds.current.keep
        guard noted < committed || journal.trimmed < committed, .now - trimmedAt >= interval else { return }
        do {
            let due = schedule.due(committed, keep: keep, at: .now)
            if keep > .zero { try journal.keep(through: committed) }
            if journal.trimmed < due { try journal.trim(through: due) }
            noteCommitted(through: committed)
        } catch {
            log.error("cannot trim the journal", metadata: ["error": "\(error)"])
        }
        trimmedAt = .now
    }

    private func noteCommitted(through position: JournalPosition) {
        if position == noted { return }
        journal.noteCommitted(through: position, lanes: progress.committed)
        noted = position
    }

    // MARK: Starting

    /// Readies the schema and finds where the lanes stand. False when stopped first.
    private func start() -> Bool {
        let found = untilItSucceeds("prepare the database") {
            try database.server.enter(unless: { isStopping }) { () throws -> Found in
                let connection = try connected()
                try prepare(connection)
                return try findPositions(connection)
            }
        }
        guard let found else { return false }
        begin(at: found.lanes, settled: found.settled)
        hasPast = true
        do {
            let waiting = try journal.batchCount(after: position)
            if waiting > 0 {
                log.notice("continuing with what the journal holds", metadata: ["batches": "\(waiting)"])
            } else {
                // All domains start at once, and most of them have nothing to do.
                attend()
                if !presence.mayBeInGroups { disconnect() }
            }
        } catch {
            log.error("cannot count what the journal holds", metadata: ["error": "\(error)"])
        }
        return true
    }

    private func prepare(_ connection: Connection) throws {
        if migrates {
            let applied = try database.schema.migrate(connection)
            if !applied.isEmpty {
                log.notice("the schema was brought up to date", metadata: ["version": "\(Schema.version)"])
            }
        } else {
            try database.schema.check(connection)
        }
        try prepareStorage(connection)
    }

    /// Where the lanes stand, and up to where all of them have nothing left to do.
    private typealias Found = (lanes: [JournalPosition], settled: JournalPosition)

    /// Where the database says that the lanes stand.
    private func findPositions(_ connection: Connection) throws -> Found {
        let positions = LanePositions(schema: database.schema, journal: journal.uuid)
        let stored = try positions.stored(connection)
        let settled = journal.noteAtOpen?.settled(stored) ?? .start
        let loaded = try positions.load(lanes: lanes.count, settled: settled, connection)
        if loaded.allSatisfy({ $0 <= journal.lastPositionAtOpen }) {
            tellLossAtStart(stored)
            return (loaded, settled)
        }
        // Restored from a backup, say: its new positions would be taken for ones that are written already. What it held when it
        // was opened is written as far as the lanes had come.
        log.error("the journal is older than what was written from it; it goes on under a new name")
        let fresh = NodeUUID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
        let reached = loaded.map { min($0, journal.lastPositionAtOpen) }
        try LanePositions(schema: database.schema, journal: fresh).store(reached, connection)
        try journal.rename(to: fresh)
        return (reached, .start)
    }

    /// The lanes go on from here.
    private func begin(at positions: [JournalPosition], settled: JournalPosition) {
        committedBefore = positions
        // A lane that had nothing to write stands far behind; what is kept need not be read for its sake.
        position = max(positions.min() ?? .start, settled)
        do {
            // First of all: it keeps those who make room from what is going to be written once more.
            try journal.keep(through: min(position, journal.lastKept))
        } catch {
            log.error("cannot measure the journal", metadata: ["error": "\(error)"])
        }
        progress.begin(at: positions)
        progress.dispatched(through: position)
        schedule.rewind(to: position)
    }

    private func prepareStorage(_ connection: Connection) throws {
        let storage = PointStorage(domain.current.storage, database.schema)
        let found = migrates ? try storage.prepare(connection) : try database.schema.engine(connection) ?? .plain
        guard found != storage.wanted else { return }
        log.warning(
            "points are not stored by the engine that the configuration names; they are written as it is, and `windrow migrate` changes it",
            metadata: ["engine": "\(found.rawValue)", "storage.engine": "\(storage.wanted.rawValue)"])
    }

    // MARK: Rewinding

    /// Begins anew where the database says that the lanes stand, in the midst of the run. False when stopped first.
    private func rewind() -> Bool {
        replayThrough = max(replayThrough, position)
        for lane in lanes { lane.beginRewind() }
        // Lanes may have come to another server than this connection.
        disconnect()
        hasPast = false
        let isReady: Void? = untilItSucceeds("prepare the database") { try prepare(connected()) }
        guard isReady != nil else { return false }
        for lane in lanes {
            while !lane.hasDropped(timeout: .milliseconds(250)) {
                if isStopping { return false }
                // A lane that has to find out first what became of its last flush may wait for it.
                yieldConnection()
            }
        }
        // Now no lane asks for what has begun already.
        handoff.beginRewind()
        let (committed, settled) = (progress.committed, progress.trimmable)
        let loaded = untilItSucceeds("find what PostgreSQL has") {
            try LanePositions(schema: database.schema, journal: journal.uuid).load(lanes: lanes.count, connected())
        }
        guard let loaded else { return false }
        hasPast = true
        let isBehind = zip(loaded, committed).contains { $0 < $1 }
        begin(at: loaded, settled: isBehind ? .start : settled)
        tellRewind(from: committed, to: loaded, isBehind: isBehind)
        noteCommitted(through: position)
        return true
    }

    private func tellRewind(from committed: [JournalPosition], to stored: [JournalPosition], isBehind: Bool) {
        var metadata: Logger.Metadata = [
            "host": "\(connection?.endpoint ?? "")", "timeline": "\(timeline?.name ?? "not known")",
        ]
        for (lane, stored) in stored.enumerated() where stored < committed[lane] {
            metadata["lane \(lane)"] = "\(stored.number) of \(committed[lane].number)"
        }
        if isBehind {
            log.warning(
                "PostgreSQL has failed over and lacks what was committed last; it is written once more, as far as the journal holds it",
                metadata: metadata)
        } else {
            log.notice("PostgreSQL has failed over, and has all that was committed", metadata: metadata)
        }
        metrics.rewound(lostPositions: tellLoss(committed: committed, stored: stored))
    }

    /// What was committed and PostgreSQL does not have, though the journal was trimmed behind it.
    private func tellLossAtStart(_ stored: [Int: JournalPosition]) {
        guard let note = journal.noteAtOpen, note.journal == journal.uuid else { return }
        let found = note.lanes.indices.map { stored[$0] ?? .start }
        metrics.lost(positions: tellLoss(committed: note.lanes, stored: found))
    }

    /// - Returns: how many positions are lost.
    private func tellLoss(committed: [JournalPosition], stored: [JournalPosition]) -> Int {
        let lost = CommittedNote.lost(committed: committed, stored: stored, trimmed: journal.trimmed)
        if lost.isEmpty { return 0 }
        log.critical(
            "PostgreSQL has lost what it had committed, and the journal holds it no more; a longer journal.keep, or commit: remote with synchronous_standby_names on the server, would have kept it",
            metadata: Dictionary(
                uniqueKeysWithValues: lost.map {
                    ("lane \($0.lane)", "positions \($0.positions.lowerBound) to \($0.positions.upperBound)")
                }))
        return lost.reduce(0) { $0 + $1.positions.count }
    }

    // MARK: Dispatching

    private func readJournal() -> Bool {
        do {
            // Nothing past what acceptance has handed over: the receipts of later batches may not be registered yet.
            let last = handoff.last
            let stored = try journal.read(after: position, through: last, byteLimit: Self.readSize)
            if stored.isEmpty {
                // What was there is committed and trimmed already.
                position = last
                progress.dispatched(through: position)
            }
            for var batch in stored {
                workedAt = .now
                batch.receivedAt = handoff.receivedAt(batch.position)
                guard dispatch(batch) else { return false }
            }
            return true
        } catch {
            log.error("cannot read the journal; it is tried again", metadata: ["error": "\(error)"])
            return pause(.seconds(5))
        }
    }

    /// False when stopped, or told to rewind, before the batch was given away.
    private func dispatch(_ stored: Journal.StoredBatch) -> Bool {
        let batch = stored.batch
        let isReplay = stored.position <= replayThrough
        // First: what comes after it is done once.
        let cost = LaneWork.highestCost(of: batch)
        guard acquire(cost) else { return false }
        var unused = cost
        defer { budget.release(unused) }
        // What is remembered says nothing of whether PostgreSQL is there.
        let remembered = catalog.remembered(batch.series)
        let found = remembered ?? lookUp(batch.series)
        guard let resolved = found else { return false }
        let receipt = receipts.take(at: stored.position)
        guard let refused = refuseRecords(of: stored, resolved, receipt) else { return false }
        if batch.isEmpty {
            // What was in it is a dead letter by now.
            metrics.refused(points: stored.damagedPoints, reason: .journalDamaged, isReplay: isReplay)
            receipt?.refused(
                Rejection(.journalDamaged, "the journal on the disk is damaged; the request is kept aside there"))
        }

        var works = lanes.map { _ in
            LaneWork(position: stored.position, timeline: timeline, receivedAt: stored.receivedAt, receipt: receipt)
        }
        for (place, edit) in batch.edits.enumerated() {
            guard let series = resolved[Int(edit.series)], !refused.contains(place) else { continue }
            let lane = Int(series.number) % lanes.count
            if isReplay, stored.position <= committedBefore[lane] { continue }
            works[lane].append(edit, of: batch, to: series)
        }
        receipt?.given(toLanes: works.count { !$0.edits.isEmpty })
        for (lane, work) in works.enumerated() where !work.edits.isEmpty {
            unused -= work.cost
            if isReplay { metrics.replayed(points: work.points.count) }
            progress.willGive(stored.position, toLane: lane)
            lanes[lane].give(work)
        }
        position = stored.position
        progress.dispatched(through: position)
        return true
    }

    /// nil when stopped first, or told to rewind.
    private func lookUp(_ names: [SeriesName]) -> [SeriesID?]? {
        untilItSucceeds("look up series") { () throws -> [SeriesID?]? in
            let connection = try connected()
            if handoff.isRewindWanted { return nil }
            catalog.createsNodes = domain.current.unknownNodes == .create
            return try patiently(connection) { () throws(PostgresError) in try catalog.resolve(names, connection) }
        } ?? nil
    }

    /// Waits for memory, and has the lanes flush if there is none: waiting for their interval would only waste time. False when
    /// stopped or told to rewind.
    private func acquire(_ bytes: Int) -> Bool {
        if budget.acquire(bytes, timeout: .zero) { return true }
        repeat {
            if isStopping || handoff.isRewindWanted { return false }
            // One flush may not be enough: what a lane had not folded yet is part of the next one.
            for lane in lanes { lane.flushSoon() }
            // It may be what the lanes wait for.
            yieldConnection()
            if hasSeveralHosts { probeIfDue() }
        } while !budget.acquire(bytes, timeout: .milliseconds(250))
        return true
    }

    /// Refuses the records that name a node which is unknown and must not be created: tells a sender that waits, else keeps them
    /// as dead letters.
    /// - Returns: places of their edits; nil when stopped before that was done.
    private func refuseRecords(
        of stored: Journal.StoredBatch, _ resolved: [SeriesID?], _ receipt: Receipt?
    ) -> Set<Int>? {
        guard resolved.contains(nil) else { return [] }
        let batch = stored.batch
        var refusals: [(record: Range<Int>, place: Int, rejection: Rejection)] = []
        for record in batch.records {
            guard let unknown = record.first(where: { resolved[Int(batch.edits[$0].series)] == nil }) else { continue }
            let node = batch.series[Int(batch.edits[unknown].series)].node
            let rejection = Rejection(.unknownNode, "node \(node) is unknown, and unknown_nodes is reject")
            refusals.append((record, unknown, rejection))
            metrics.refused(
                points: record.reduce(0) { $0 + Int(batch.edits[$1].pointCount) }, reason: .unknownNode,
                isReplay: stored.position <= replayThrough)
        }
        let refused = Set(refusals.flatMap(\.record))
        if let receipt, let first = refusals.first, receipt.claim() {
            do {
                // Before the sender is told: a replay after a crash might find the node there.
                try journal.remove(at: stored.position)
                // A request is one record, and its elements are the edits.
                var rejection = first.rejection
                rejection.pointer = PointPlace.data(element: first.place).pointer(toField: "node_id")
                receipt.refused(rejection)
                return refused
            } catch {
                // Nothing is promised to the sender, and the record may be kept as a dead letter.
                receipt.notAccepted(error)
            }
        }
        let letters = refusals.flatMap { record, _, rejection in
            record.map { place -> (letter: DeadLetter, origin: String?) in
                (DeadLetter(edit: place, of: batch, rejection: rejection), "\(stored.position.number)/\(place)")
            }
        }
        for (letter, _) in letters { rejectionLog.rejected(letter, log) }
        while true {
            do {
                try journal.append(deadLetters: letters)
                return refused
            } catch {
                log.error("cannot keep dead letters; it is tried again", metadata: ["error": "\(error)"])
                // Room may come from what the lanes commit meanwhile, for which they may need the connection.
                trim()
                yieldConnection()
                if !pause(.seconds(5)) { return nil }
            }
        }
    }

    // MARK: The database

    /// Runs statements, each of which may take long, and gives a server up soon that hangs, where there is another one.
    private func patiently<R>(
        _ connection: Connection, _ body: () throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        guard hasSeveralHosts else { return try body() }
        // Before a statement, a server that hangs shows at once; in one, it might as well have much to do.
        try connection.ping(within: Self.promptProbeTime)
        connection.patience = patience
        defer { connection.patience = nil }
        do throws(PostgresError) {
            let result = try body()
            patience = Self.leastPatience
            return result
        } catch {
            if error.kind == .timedOut { patience = min(patience * 2, Self.mostPatience) }
            throw error
        }
    }

    /// Runs `body`, which connects if it has to, until it succeeds; nil when stopped first.
    private func untilItSucceeds<R>(_ operation: String, _ body: () throws -> R) -> R? {
        var backoff = DatabaseAccess.backoff
        while true {
            do {
                let result = try body()
                succeeded()
                return result
            } catch {
                failed(error, doing: operation)
                let isInLine = (error as? PostgresError)?.sqlState == .tooManyConnections
                if !pause(isInLine ? DatabaseAccess.turn : backoff.next()) { return nil }
            }
        }
    }

    /// Keeps the health page true, and the connection ready, while nothing has to be looked up. A server that hangs is found by it.
    private func probe() {
        // It answers all the same, and to ask it for a connection is in vain.
        if connection == nil, database.server.hasRefused(within: Self.probeInterval) { return }
        do throws(PostgresError) {
            let patience = hasSeveralHosts ? Self.promptProbeTime : database.statementTimeout
            try connected(standingInLine: false).ping(within: patience)
            succeeded()
        } catch {
            // It answers, and those who have work come first.
            if error.sqlState == .tooManyConnections {
                askedAt = .now
                return database.server.refused()
            }
            failed(error, doing: "reach the database")
            // Another host is asked at once.
            if hasSeveralHosts, error.kind == .timedOut { return }
        }
        askedAt = .now
    }

    /// Tells other daemons of this one. Without a connection, somebody else makes the next one: nothing that waits in the journal waits for
    /// this.
    private func attend() {
        guard let connection, connection.isUsable, let errand = databasePresence.due() else { return }
        do throws(PostgresError) {
            try patiently(connection) { () throws(PostgresError) in
                try databasePresence.attend(to: errand, connection)
            }
        } catch {
            if error.endsConnection { return failed(error, doing: "tell other daemons of this one") }
            databasePresence.failed(error)
        }
    }

    private func probeIfDue() {
        if .now - askedAt >= probeInterval { probe() }
    }

    /// A probe that leaves no connection where there was none and none is needed.
    private func look() {
        let wasConnected = connection != nil
        probe()
        attend()
        if !wasConnected, !presence.mayBeInGroups { disconnect() }
    }

    /// Has an idle dispatcher look at the database when it is time: each look costs the server a process, so the domains take turns, one a
    /// second. As soon as one of them loses its server, the others there look, too.
    nonisolated func lookIfDue(isTurn: Bool) {
        let now = ContinuousClock.now
        let isDue = lastLook.withLock { last in
            let isOld = (isTurn || !last.succeeded) && now - last.at >= Self.probeInterval
            let isSuspected = database.server.suspectedAt.map { $0 > last.at } ?? false
            guard isOld || isSuspected, !database.server.hasRefused(within: Self.probeInterval) else { return false }
            last.at = now
            return true
        }
        if isDue { handoff.look() }
    }

    private func succeeded() {
        lastLook.withLock { $0 = (.now, true) }
        reporter.succeeded()
    }

    private func failed(_ error: any Error, doing operation: String) {
        // The next connection may find another server.
        disconnect()
        if (error as? PostgresError)?.kind == .timedOut { database.preferAnotherHost() }
        lastLook.withLock { $0 = (.now, false) }
        reporter.failed(error, doing: operation)
    }

    private func disconnect() {
        connection?.close()
        connection = nil
    }

    private func connected(standingInLine: Bool = true) throws(PostgresError) -> Connection {
        if let connection, connection.isUsable { return connection }
        let fresh = standingInLine ? try database.connect("catalog", ticket) : try database.connect("catalog")
        interrupter.withLock { $0 = fresh.interrupter }
        if hasSeveralHosts { fresh.patience = Self.promptProbeTime }
        try database.commit.apply(to: fresh)
        let found = try Timeline(of: fresh)
        let isOther = found != timeline
        if hasPast {
            let isBehind = try isBehind(fresh)
            if isOther || isBehind { handoff.wantRewind() }
        }
        fresh.patience = nil
        // Another server may number them otherwise. What is found now is written only by lanes that see the same timeline.
        catalog.forget()
        timeline = found
        connection = fresh
        databasePresence.begin()
        askedAt = .now
        return fresh
    }

    /// Whether the database lacks what lanes have had committed.
    private func isBehind(_ connection: Connection) throws(PostgresError) -> Bool {
        let committed = progress.committed
        let stored = try LanePositions(schema: database.schema, journal: journal.uuid).stored(connection)
        return committed.enumerated().contains { stored[$0.offset] ?? .start < $0.element }
    }

    nonisolated private var isStopping: Bool { stopping.withLock { $0 } }

    private var probeInterval: Duration { hasSeveralHosts ? Self.promptProbeInterval : Self.probeInterval }

    /// False when stopped.
    nonisolated private func pause(_ duration: Duration) -> Bool {
        stopping.wait(timeout: duration) { $0 ? true : nil } == nil
    }
}
