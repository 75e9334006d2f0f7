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
    private struct Mailbox: Sendable {
        var work: [LaneWork] = []
        /// Somebody waits for what is pending to be flushed.
        var isUrgent = false
        /// What was given is to be dropped: it comes once more.
        var isRewinding = false
        /// Set when stopping: no flush begins after it.
        var stopBy: ContinuousClock.Instant?

        var isStopping: Bool { stopBy != nil }
    }

    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let number: Int
    private let domain: Live<Configuration.Domain>
    private let database: DatabaseAccess
    private let journal: Journal
    private let mailbox = Monitor(Mailbox())
    private let progress: Progress
    private let budget: MemoryBudget
    private let metrics: DomainMetrics
    private let activity: SeriesActivity
    private let reporter: DatabaseReporter
    private let liveness: Liveness
    private let receipts: Receipts
    /// Has the dispatcher rewind.
    private let rewind: @Sendable () -> Void
    private let log: Logger
    private let name: String

    /// As the configuration has it now.
    private var settings: Configuration.Flush
    private let interruption = Interruption()
    private var session: FlushSession

    /// Taken from the mailbox and not folded yet, the next one last.
    private var incoming: [LaneWork] = []
    private var pending: [SeriesID: PendingWindow] = [:]
    /// Names of the series whose ranges will be deleted, for the log.
    private var names: [SeriesID: SeriesName] = [:]
    private var pendingPoints = 0
    private var pendingCost = 0
    private var pendingThrough: JournalPosition?
    /// In which the series' numbers of what is pending were found.
    private var timeline: Timeline?
    private var flushAt: ContinuousClock.Instant?
    /// When the last flush was committed.
    private var flushedAt = ContinuousClock.now
    /// What a flush takes: grows at once with one that takes longer, and shrinks slowly.
    private var flushTakes = Duration.zero
    /// When what is folded was received, and how many points then; batches of the same moment are one.
    private var received: [(at: ContinuousClock.Instant, points: Int)] = []
    /// What is folded and has a sender that waits for it.
    private var awaited: [LaneWork] = []
    /// What PostgreSQL has refused of the flush that is being finished.
    private var refused: [RefusedItem] = []

    /// More than a flush takes, each of which ends by the statement timeout: what takes longer than all of them together is stuck.
    private static let statementsOfFlush = 10
    /// Batches received within this time are of the same moment to `received`.
    private static let moment = Duration.milliseconds(5)
    /// After which a lane without work looks whether it can do without connection and thread.
    private static let idleMoment = Duration.seconds(5)
    /// Between two tries when only somebody who changes the database can help.
    private static let hopelessPause = Duration.seconds(10)

    init(
        number: Int, domain: Live<Configuration.Domain>, database: DatabaseAccess, journal: Journal, progress: Progress,
        budget: MemoryBudget, metrics: DomainMetrics, activity: SeriesActivity, health: DomainHealth,
        liveness: Liveness, receipts: Receipts, rewind: @escaping @Sendable () -> Void, log: Logger
    ) {
        self.receipts = receipts
        self.rewind = rewind
        name = "lane \(number) \(domain.current.name)"
        executor = ThreadExecutor(name: name)
        self.number = number
        self.domain = domain
        self.database = database
        self.liveness = liveness
        settings = domain.current.flush
        self.journal = journal
        session = FlushSession(
            database, purpose: "lane \(number)", lane: number, interruption: interruption,
            journal: { journal.uuid })
        self.progress = progress
        self.budget = budget
        self.metrics = metrics
        self.activity = activity
        reporter = DatabaseReporter(component: "lane \(number)", server: database.server, health: health, log: log)
        self.log = log
    }

    /// Gives the lane work. Batches must come in the order of their positions.
    nonisolated func give(_ work: LaneWork) {
        metrics.given(points: work.points.count, toLane: number)
        mailbox.withLock { $0.work.append(work) }
    }

    /// Makes the lane flush what it has without waiting for the interval.
    nonisolated func flushSoon() {
        mailbox.withLock { $0.isUrgent = true }
    }

    /// Makes `run` flush what it was given, and return. What is not flushed in time stays in the journal.
    nonisolated func stop(within time: Duration) {
        mailbox.withLock { $0.stopBy = .now + time }
    }

    /// Ends a flush that PostgreSQL holds up. Comes after `stop`, or the lane would only try again.
    nonisolated func interrupt() {
        interruption.interrupt()
    }

    /// Folds and flushes until `stop()`.
    func run() async {
        loop: while true {
            if isRewinding { drop() }
            settings = domain.current.flush
            while pendingPoints < settings.maxPoints, let work = incoming.popLast() { fold(work) }
            if isDue {
                // A stopping lane that has no time left, or no database, leaves the rest to the journal.
                guard !isOutOfTime, flushPending() else { break }
                flushedAt = .now
            } else {
                switch takeMail() {
                case .mail: break
                case .nothing: await rest()
                case .stopped: break loop
                }
            }
        }
        session.close()
    }

    /// Nothing came for a moment, and nothing is pending: gives up the connection when it is wanted elsewhere, or was not used for long,
    /// and then the thread, too.
    private func rest() async {
        if session.isConnected {
            guard .now - flushedAt > DatabaseAccess.patience || database.server.wantsConnection else { return }
            session.close()
        }
        await mailbox.change { !$0.work.isEmpty || $0.isStopping || $0.isRewinding }
    }

    private var isDue: Bool {
        guard let flushAt else { return false }
        if pendingPoints >= settings.maxPoints || ContinuousClock.now >= flushAt { return true }
        return mailbox.withLock { $0.isUrgent || $0.isStopping && $0.work.isEmpty }
    }

    nonisolated private var isOutOfTime: Bool { mailbox.withLock { $0.stopBy.map { $0 < .now } ?? false } }

    private enum Mail {
        /// There is work, or it is the time to flush.
        case mail
        /// Nothing came for a moment, and nothing is pending.
        case nothing
        /// Stopping, and nothing is left to do.
        case stopped
    }

    /// Waits for work or for the time to flush.
    private func takeMail() -> Mail {
        let hasPending = flushAt != nil
        let untilFlush = flushAt.map { $0 - .now } ?? Self.idleMoment
        let timeout = session.isConnected ? min(untilFlush, Self.idleMoment) : untilFlush
        let taken = mailbox.wait(timeout: timeout) { mailbox -> [LaneWork]? in
            if mailbox.isRewinding { return [] }
            // With nothing to flush there is nothing to hurry.
            if !hasPending, mailbox.work.isEmpty { mailbox.isUrgent = false }
            if !mailbox.work.isEmpty || mailbox.isStopping || mailbox.isUrgent {
                defer { mailbox.work = [] }
                return mailbox.work
            }
            return nil
        }
        guard let taken else {
            // Until the next flush others may have it.
            if timeout < untilFlush, database.server.wantsConnection { session.close() }
            return hasPending ? .mail : .nothing
        }
        incoming = taken.reversed()
        return hasPending || !taken.isEmpty || isRewinding ? .mail : .stopped
    }

    private func fold(_ work: LaneWork) {
        for edit in work.edits {
            pending[edit.series, default: PendingWindow()].fold(edit.action, work.points[edit.points])
        }
        names.merge(work.names) { $1 }
        pendingPoints += work.points.count
        pendingCost += work.cost
        pendingThrough = work.position
        timeline = work.timeline
        note(receivedAt: work.receivedAt, points: work.points.count)
        if work.receipt != nil {
            awaited.append(work)
            flushAt = .now
        } else if flushAt == nil {
            // By then it is to be committed, and not only begun.
            flushAt = work.arrivedAt + settings.interval - min(flushTakes, settings.interval / 2)
        }
    }

    private func note(receivedAt: ContinuousClock.Instant?, points: Int) {
        guard let receivedAt, points > 0 else { return }
        if let last = received.indices.last, receivedAt - received[last].at < Self.moment {
            received[last].points += points
        } else {
            received.append((receivedAt, points))
        }
    }

    // MARK: Flushing

    /// Flushes, however long the database is away. False when stopping and it cannot be reached.
    private func flushPending() -> Bool {
        guard let pendingThrough else { return true }
        metrics.due(lane: number)
        // Asked for from now on, it is another flush that is meant.
        mailbox.withLock { $0.isUrgent = false }
        let windows = pending.keys.sorted().map { id in
            var window = pending[id] ?? PendingWindow()
            window.settle()
            return (id: id, window: window)
        }
        var backoff = DatabaseAccess.backoff
        while true {
            do {
                let started = ContinuousClock.now
                let outcome = try liveness.working(name, for: session.statementTimeout * Self.statementsOfFlush) {
                    try write(windows, through: pendingThrough)
                }
                reporter.succeeded()
                finish(windows, outcome, through: pendingThrough, took: .now - started)
                if database.server.wantsConnection { session.close() }
                return true
            } catch is OtherPast {
                // The dispatcher finds the numbers anew, and where to begin.
                rewind()
                return mailbox.wait(until: { $0.isRewinding ? true : $0.isStopping ? false : nil }) ?? false
            } catch {
                session.recover(from: error)
                reporter.failed(error, doing: "flush")
                let refusal = error as? PostgresError
                if refusal?.sqlState == .tooManyConnections {
                    guard pause(DatabaseAccess.turn, isInDoubt: session.isInDoubt) else { return false }
                    if isRewinding, !session.isInDoubt { return true }
                    continue
                }
                metrics.notFlushed(FlushFailure(error))
                let wait = refusal?.verdict == .stop ? Self.hopelessPause : backoff.next()
                if !pause(wait, isInDoubt: session.isInDoubt) { return false }
                // Whether a flush in doubt was committed is found out first.
                if isRewinding, !session.isInDoubt { return true }
            }
        }
    }

    private func write(
        _ windows: [(id: SeriesID, window: PendingWindow)], through position: JournalPosition
    ) throws -> FlushOutcome {
        let written = try session.write(
            windows, through: position, after: progress.committed(byLane: number), resolvedIn: timeline
        ) { try keep($0, $1) }
        refused = written.refused
        return written.outcome
    }

    /// Dead-letters what PostgreSQL refuses, before the rest is committed.
    private func keep(_ refused: [RefusedItem], _ connection: Connection) throws {
        let names = try Catalog.names(of: Set(refused.map(\.series)), database.schema, connection)
        let letters = refused.map {
            (letter: DeadLetter($0, name: names[$0.series]), origin: Optional($0.origin(names[$0.series])))
        }
        try journal.append(deadLetters: letters)
        log.error(
            "PostgreSQL refuses points for their content; they are kept as dead letters",
            metadata: ["count": "\(refused.count)", "error": "\(refused[0].error)"])
    }

    private func finish(
        _ windows: [(id: SeriesID, window: PendingWindow)], _ outcome: FlushOutcome, through position: JournalPosition,
        took: Duration
    ) {
        flushTakes = max(took, (flushTakes * 7 + took) / 8)
        session.committed(windows, outcome)
        logDeletions(outcome, windows)
        let atFault = Set(refused.map(\.series))
        activity.stored(atFault.isEmpty ? windows : windows.filter { !atFault.contains($0.id) })
        progress.committed(through: position, byLane: number)
        metrics.flushed(outcome, byLane: number, took: took, delays: delays)
        budget.release(pendingCost)
        forgetPending()
        // A rewind may find that it is not there: it comes once more, or is found to be written.
        if isRewinding {
            putBack(awaited)
        } else {
            for work in awaited { work.receipt?.written(refusal: refusal(of: work)) }
        }
        awaited.removeAll()
        refused.removeAll()
    }

    private func forgetPending() {
        pending.removeAll()
        names.removeAll()
        pendingPoints = 0
        pendingCost = 0
        pendingThrough = nil
        received.removeAll(keepingCapacity: true)
        flushAt = nil
    }

    // MARK: Rewinding

    /// Has the lane drop all that it was given and has not committed, and end what it waits for.
    nonisolated func beginRewind() {
        mailbox.withLock { $0.isRewinding = true }
        interruption.interrupt()
    }

    /// Whether it has. False when it takes longer than `timeout`.
    nonisolated func hasDropped(timeout: Duration) -> Bool {
        mailbox.wait(timeout: timeout) { $0.isRewinding ? nil : true } ?? false
    }

    nonisolated private var isRewinding: Bool { mailbox.withLock { $0.isRewinding } }

    /// All of it is in the journal, and comes once more. Senders that wait go on waiting.
    private func drop() {
        let given = mailbox.withLock { mailbox in
            defer { mailbox.work = [] }
            return mailbox.work
        }
        putBack(awaited + incoming + given)
        budget.release((incoming + given).reduce(pendingCost) { $0 + $1.cost })
        incoming.removeAll()
        awaited.removeAll()
        refused.removeAll()
        forgetPending()
        metrics.dropped(byLane: number)
        session.close()
        reporter.forget()
        mailbox.withLock { $0.isRewinding = false }
    }

    private func putBack(_ works: [LaneWork]) {
        for work in works {
            if let receipt = work.receipt { receipts.putBack(receipt, at: work.position) }
        }
    }

    // MARK: What is told

    /// How long ago the points were received that are committed now.
    private var delays: Histogram {
        let now = ContinuousClock.now
        var delays = Histogram(.seconds)
        for (at, points) in received { delays.observe(now - at, weight: points) }
        return delays
    }

    /// What a sender that waits is told of its own points and ranges.
    private func refusal(of work: LaneWork) -> Rejection? {
        let own = refused.filter(work.contains)
        guard let first = own.first else { return nil }
        return Rejection(
            .refusedByDatabase,
            "PostgreSQL refuses \(own.count) of the points or windows for their content, and they are kept as dead letters; "
                + "the others are stored: \(first.error)")
    }

    private func logDeletions(_ outcome: FlushOutcome, _ windows: [(id: SeriesID, window: PendingWindow)]) {
        let told = outcome.deletions.filter { $0.deleted > 0 || log.logLevel <= .debug }
        if told.isEmpty { return }
        let settled = Dictionary(uniqueKeysWithValues: windows.map { ($0.id, $0.window) })
        for deletion in told {
            let window = settled[deletion.series]
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

    /// Waits before the next try, no longer than until a rewind. False when stopping.
    nonisolated private func pause(_ duration: Duration, isInDoubt: Bool) -> Bool {
        mailbox.wait(timeout: duration) { $0.isStopping ? false : $0.isRewinding && !isInDoubt ? true : nil } ?? true
    }
}
