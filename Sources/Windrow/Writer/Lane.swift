import LibPQ
import Logging

// A lane: one PostgreSQL connection with its thread. It folds what it is given into pending windows and flushes them, one
// transaction a flush.
//
// A flush covers whole batches of the journal: all that the lane was given up to `pendingThrough`. Its position is committed with
// its points, so a crash, or a connection that breaks while COMMIT is on its way, never makes a flush count twice: after it the
// position in the database says whether it was committed.

/// Writes the series of one lane.
actor Lane {
    /// A batch's edits of this lane's series.
    struct Work: Sendable {
        var position: JournalPosition
        var batch: RecordBatch
        /// Places in `batch.edits`, in order, with the series' number.
        var edits: [(series: SeriesID, edit: Int)]
        var pointCount: Int
        /// What the work holds of the memory budget, in bytes, until it is committed.
        var cost: Int
    }

    private struct Mailbox: Sendable {
        var work: [Work] = []
        /// Set when stopping: no flush begins after it.
        var stopBy: ContinuousClock.Instant?

        var isStopping: Bool { stopBy != nil }
    }

    struct Settings: Sendable {
        var interval: Duration
        var maxPoints: Int
        var database: DatabaseAccess
    }

    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let number: Int
    private let settings: Settings
    private let flush: Flush
    private let positions: LanePositions
    private let journal: Journal
    private let mailbox = Monitor(Mailbox())
    private let progress: Progress
    private let budget: MemoryBudget
    private let metrics: DomainMetrics
    private let reporter: DatabaseReporter
    private let log: Logger

    private var connection: Connection?
    private var newest: [SeriesID: Newest] = [:]

    /// Taken from the mailbox and not folded yet, in order.
    private var incoming: ArraySlice<Work> = []
    private var pending: [SeriesID: PendingWindow] = [:]
    /// Names of the series whose ranges will be deleted, for the log.
    private var names: [SeriesID: SeriesName] = [:]
    private var pendingPoints = 0
    private var pendingCost = 0
    private var pendingThrough: JournalPosition?
    private var flushAt: ContinuousClock.Instant?
    /// The outcome of a flush of which it is not known whether it was committed.
    private var inDoubt: FlushOutcome?

    init(
        number: Int, domain: String, settings: Settings, journal: Journal, progress: Progress, budget: MemoryBudget,
        metrics: DomainMetrics, health: DomainHealth, log: Logger
    ) {
        executor = ThreadExecutor(name: "lane \(number) \(domain)")
        self.number = number
        self.settings = settings
        flush = Flush(schema: settings.database.schema, journal: journal.uuid, lane: number)
        positions = LanePositions(schema: settings.database.schema, journal: journal.uuid)
        self.journal = journal
        self.progress = progress
        self.budget = budget
        self.metrics = metrics
        reporter = DatabaseReporter(component: "lane \(number)", health: health, log: log)
        self.log = log
    }

    /// Gives the lane work. Batches must come in the order of their positions.
    nonisolated func give(_ work: Work) {
        mailbox.withLock { $0.work.append(work) }
    }

    /// Makes `run` flush what it was given, and return. What is not flushed in time stays in the journal.
    nonisolated func stop(within time: Duration) {
        mailbox.withLock { $0.stopBy = .now + time }
    }

    /// Folds and flushes until `stop()`.
    func run() {
        while true {
            while pendingPoints < settings.maxPoints, let work = incoming.popFirst() { fold(work) }
            if isDue {
                // A stopping lane that has no time left, or no database, leaves the rest to the journal.
                guard !isOutOfTime, flushPending() else { break }
            } else if !takeMail() {
                break
            }
        }
        connection?.close()
        connection = nil
    }

    private var isDue: Bool {
        guard let flushAt else { return false }
        return pendingPoints >= settings.maxPoints || ContinuousClock.now >= flushAt || isStopping && mailboxIsEmpty
    }

    nonisolated private var isStopping: Bool { mailbox.withLock { $0.isStopping } }
    nonisolated private var isOutOfTime: Bool { mailbox.withLock { $0.stopBy.map { $0 < .now } ?? false } }
    nonisolated private var mailboxIsEmpty: Bool { mailbox.withLock { $0.work.isEmpty } }

    /// Waits for work or for the time to flush. False when stopping and nothing is left to do.
    private func takeMail() -> Bool {
        let hasPending = flushAt != nil
        let taken = mailbox.wait(timeout: flushAt.map { $0 - .now }) { mailbox -> [Work]? in
            if !mailbox.work.isEmpty || mailbox.isStopping {
                defer { mailbox.work = [] }
                return mailbox.work
            }
            return nil
        }
        guard let taken else { return true }
        incoming = taken[...]
        return hasPending || !taken.isEmpty
    }

    private func fold(_ work: Work) {
        for (series, place) in work.edits {
            let edit = work.batch.edits[place]
            pending[series, default: PendingWindow()].fold(edit.action, work.batch.points[edit.points])
            if case .replace = edit.action { names[series] = work.batch.series[Int(edit.series)] }
        }
        pendingPoints += work.pointCount
        pendingCost += work.cost
        pendingThrough = work.position
        if flushAt == nil { flushAt = .now + settings.interval }
    }

    // MARK: Flushing

    /// Flushes, however long the database is away. False when stopping and it cannot be reached.
    private func flushPending() -> Bool {
        guard let pendingThrough else { return true }
        let windows = pending.keys.sorted().map { id in
            var window = pending[id] ?? PendingWindow()
            window.settle()
            return (id: id, window: window)
        }
        var backoff = DatabaseAccess.backoff
        while true {
            do {
                let started = ContinuousClock.now
                let outcome = try write(windows, through: pendingThrough)
                reporter.succeeded()
                finish(windows, outcome, through: pendingThrough, took: .now - started)
                return true
            } catch {
                if connection?.isUsable != true { connection = nil }
                reporter.failed(error, doing: "flush")
                if !pause(backoff.next()) { return false }
            }
        }
    }

    private func write(
        _ windows: [(id: SeriesID, window: PendingWindow)], through position: JournalPosition
    ) throws -> FlushOutcome {
        let connection = try connected()
        if let inDoubt {
            let reached = try positions.load(lane: number, connection)
            self.inDoubt = nil
            if let reached, reached >= position { return inDoubt }
        }
        let unknown = windows.map(\.id).filter { newest[$0] == nil }
        if !unknown.isEmpty {
            newest.merge(try flush.newest(unknown, connection)) { _, found in found }
        }
        // A connection that has survived has told how the flush ended.
        defer { if connection.isUsable { inDoubt = nil } }
        do throws(PostgresError) {
            return try flush.run(windows, newest: newest, through: position, on: connection) { inDoubt = $0 }
        } catch {
            guard error.isAboutContent else { throw error }
        }
        return try flush.runIsolating(windows, through: position, on: connection) { outcome, refused in
            try keep(refused, at: position, connection)
            inDoubt = outcome
        }
    }

    /// Dead-letters what PostgreSQL refuses, before the rest is committed.
    private func keep(_ refused: [RefusedItem], at position: JournalPosition, _ connection: Connection) throws {
        if refused.isEmpty { return }
        let names = try Catalog.names(of: Set(refused.map(\.series)), settings.database.schema, connection)
        let letters = refused.map { item in
            (
                letter: DeadLetter(item, name: names[item.series]),
                origin: "\(position.number)/lane \(number)/\(item.series.number)/\(item.content)"
            )
        }
        try journal.append(deadLetters: letters)
        log.error(
            "PostgreSQL refuses points for their content; they are kept as dead letters",
            metadata: ["count": "\(refused.count)", "error": "\(refused[0].error)"])
    }

    private func connected() throws -> Connection {
        if let connection, connection.isUsable { return connection }
        let fresh = try settings.database.connect("lane \(number)")
        // Every statement of a flush finds its rows by primary key. A planner with stale statistics must not read the table.
        try fresh.script("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
        connection = fresh
        return fresh
    }

    private func finish(
        _ windows: [(id: SeriesID, window: PendingWindow)], _ outcome: FlushOutcome, through position: JournalPosition,
        took: Duration
    ) {
        for (id, window) in windows {
            guard let last = window.points.last?.timestamp else { continue }
            if case .at(let known) = newest[id], known >= last { continue }
            newest[id] = .at(last)
        }
        logDeletions(outcome, windows)
        progress.committed(through: position, byLane: number)
        metrics.flushed(outcome, took: took)
        budget.release(pendingCost)
        pending.removeAll()
        names.removeAll()
        pendingPoints = 0
        pendingCost = 0
        pendingThrough = nil
        flushAt = nil
    }

    private func logDeletions(_ outcome: FlushOutcome, _ windows: [(id: SeriesID, window: PendingWindow)]) {
        for deletion in outcome.deletions where deletion.deleted > 0 || log.logLevel <= .debug {
            let window = pending[deletion.series]
            log.log(
                level: deletion.deleted > 0 ? .info : .debug, "replaced a window",
                metadata: [
                    "series": "\(names[deletion.series].map(String.init(describing:)) ?? "\(deletion.series.number)")",
                    "first": "\(deletion.range.first)", "last": "\(deletion.range.last)",
                    "deleted": "\(deletion.deleted)",
                    "stored": "\(window?.count(in: deletion.range) ?? 0)",
                ])
        }
    }

    /// Waits before the next try. False when stopping.
    nonisolated private func pause(_ duration: Duration) -> Bool {
        mailbox.wait(timeout: duration) { $0.isStopping ? true : nil } == nil
    }
}
