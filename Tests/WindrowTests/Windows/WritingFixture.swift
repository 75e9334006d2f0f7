import Logging
import WindrowTestSupport

@testable import Windrow

/// A domain from its journal to its database, without intake: a dispatcher and a lane, of which neither runs yet.
struct WritingFixture {
    let writer: WriterFixture
    let database: DatabaseAccess
    let journal: Journal
    let handoff: Handoff
    let progress = Progress(start: .start, lanes: 1)
    let budget: MemoryBudget
    let lane: Lane
    let dispatcher: Dispatcher
    private let folder: TemporaryFolder

    /// - Parameters:
    ///   - batches: what the journal holds already.
    ///   - isCommitted: whether an earlier run has had all of them committed, though the database has none.
    ///   - memory: bytes.
    init(
        interval: Duration = .seconds(1), maxPoints: Int = 50_000, holding batches: [RecordBatch] = [],
        committed isCommitted: Bool = false, memory: Int = 1 << 20
    ) throws {
        writer = try WriterFixture()
        database = DatabaseAccess(connectionString: Secret(writer.conninfo), schema: writer.schema)
        var settings = try parseConfiguration(minimalConfiguration).domains[0]
        settings.flush.interval = interval
        settings.flush.maxPoints = maxPoints
        let domain = Live(settings)
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        folder = try TemporaryFolder()
        let bounds = Journal.Bounds(maxSize: 64 << 20, maxDeadLetters: 1 << 20)
        do {
            let journal = try Journal(folder: folder.path, bounds: bounds, log: log)
            let last = try journal.append(batches).last
            if isCommitted, let last { journal.noteCommitted(through: last, lanes: [last]) }
            try journal.close()
        }
        journal = try Journal(folder: folder.path, bounds: bounds, log: log)
        handoff = Handoff(last: journal.lastPositionAtOpen, byteLimit: 1 << 20)
        budget = MemoryBudget(limit: memory)
        let (health, metrics, receipts) = (DomainHealth(expected: []), DomainMetrics(), Receipts())
        lane = Lane(
            number: 0, domain: domain, database: database, journal: journal, progress: progress, budget: budget,
            metrics: metrics, activity: SeriesActivity(domain, health: health), health: health, liveness: Liveness(),
            receipts: receipts, rewind: handoff.wantRewind, log: log)
        dispatcher = Dispatcher(
            domain: domain, database: database, migrates: false, nodes: NodeIdentities(), journal: journal,
            handoff: handoff, lanes: [lane], progress: progress, budget: budget, receipts: receipts,
            presence: Presence(handoff: handoff), runID: "test", metrics: metrics, health: health, log: log)
    }

    static func batch(points: Int) -> RecordBatch {
        var batch = RecordBatch()
        batch.beginRecord()
        batch.append(
            .insert, to: seriesName(1),
            points: (0..<points).map { Point(timestamp: Timestamp(microseconds: Int64($0)), value: 1) })
        return batch
    }

    func startDispatcher() -> Task<Void, Never> {
        Task.detached { [dispatcher] in await dispatcher.run() }
    }

    func startLane() -> Task<Void, Never> {
        Task.detached { [lane] in await lane.run() }
    }

    /// Has both end.
    func stop() {
        dispatcher.stop()
        lane.stop(within: .seconds(5))
    }

    /// In good order: what the dispatcher has given away is written.
    func finish(_ dispatching: Task<Void, Never>, _ writing: Task<Void, Never>) async {
        dispatcher.stop()
        await dispatching.value
        stop()
        await writing.value
    }

    func waitUntilCommitted(_ position: JournalPosition) throws {
        try waitUntil("batch \(position.number) is committed", timeout: .seconds(20)) {
            progress.committed(byLane: 0) >= position
        }
    }
}
