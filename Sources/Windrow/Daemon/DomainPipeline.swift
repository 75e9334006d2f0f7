import LibPQ
import Logging
import ServiceLifecycle

// The one place where a domain's stages are wired: Intake → Journal → Windows → Writer.
//
// They stop in the direction of the data, each after it has passed on what it had: the brokers first, then acceptance, the
// dispatcher, the lanes, and the journal last. What a stage cannot pass on is in the journal.

/// One domain: its journal, broker connections and lanes.
final class DomainPipeline: Sendable {
    let name: String
    let metrics: DomainMetrics
    let health: DomainHealth
    let journal: Journal
    let budget: MemoryBudget
    let bridge: DomainBridge
    let status: DomainStatus

    private let settings: Live<Configuration.Domain>
    private let reader: PointReader
    private let receipts: Receipts
    private let upkeep: JournalUpkeep
    private let storage: StorageUpkeep?
    private let acceptance: Acceptance
    private let dispatcher: Dispatcher
    private let database: DatabaseAccess
    private let handoff: Handoff
    private let lanes: [Lane]
    private let brokers: BrokerConnections

    /// For what is pending when the daemon stops; the rest is written after the next start.
    private static let stopTime = Duration.seconds(10)
    /// For what the dispatcher asks PostgreSQL just then.
    private static let lookupTime = Duration.seconds(3)
    /// Bytes of accepted batches that may wait in memory for the dispatcher; further ones are read back from the journal.
    private static func handoffSize(_ memory: Int) -> Int { min(8 << 20, memory) }

    /// Opens the journal; connects to nothing yet.
    /// - Parameters:
    ///   - memory: bytes of pending points that the domain may always have.
    ///   - sharedMemory: where it may borrow more.
    ///   - server: of its database.
    ///   - migrates: whether the schema is created and upgraded.
    ///   - runID: tells this run of the daemon from all others.
    init(
        _ domain: Configuration.Domain, of configuration: Configuration, http: Live<Configuration.HTTP>, memory: Int,
        sharedMemory: SharedMemory, server: DatabaseServer, migrates: Bool, runID: String, liveness: Liveness,
        tail: Tail
    ) throws {
        name = domain.name
        var log = Logger(label: "windrow")
        log[metadataKey: "domain"] = "\(domain.name)"
        let settings = Live(domain)
        let journal = try Journal(
            folder: configuration.journal.folder(of: domain), bounds: configuration.journal.bounds, log: log)
        let metrics = DomainMetrics(lanes: domain.lanes)
        let health = DomainHealth(
            expected: [(.postgres, "catalog")])
        let database = try DatabaseAccess(domain, server: server)
        let nodes = NodeIdentities()
        let handoff = Handoff(last: journal.lastPositionAtOpen, byteLimit: Self.handoffSize(memory))
        let budget = MemoryBudget(limit: memory, borrowingFrom: sharedMemory)
        let receipts = Receipts()
        let presence = Presence(handoff: handoff)
        let progress = Progress(start: .start, lanes: domain.lanes)
        let status = DomainStatus(
            domain: settings, database: database,
            journal: journal, health: health, log: log)
        let lanes = (0..<domain.lanes).map { number in
            Lane(
                number: number, domain: settings, database: database, journal: journal, progress: progress,
                budget: budget, metrics: metrics, activity: status.activities[number], health: health,
                liveness: liveness, receipts: receipts, rewind: handoff.wantRewind, log: log)
        }
        let acceptance = Acceptance(
            domain: domain.name, journal: journal, handoff: handoff, nodes: nodes, receipts: receipts, metrics: metrics)
        dispatcher = Dispatcher(
            domain: settings, database: database, migrates: migrates, nodes: nodes, journal: journal, handoff: handoff,
            lanes: lanes, progress: progress, budget: budget, receipts: receipts, presence: presence, runID: runID,
            metrics: metrics, health: health, log: log)
        brokers = BrokerConnections(health: health, metrics: metrics, presence: presence, log: log) { [log] orders in
            try BrokerConnection(
                domain: domain.name, orders: orders, acceptance: acceptance, journal: journal, presence: presence,
                metrics: metrics, health: health, tail: tail, liveness: liveness, log: log)
        }
        let rules = try brokers.reload(domain)
        upkeep = JournalUpkeep(
            domain: domain.name, journal: journal,
            retry: try DeadLetterRetry(
                journal: journal, acceptance: acceptance, metrics: metrics, rules: rules, log: log), log: log)
        storage = domain.storage.engine == .partitions ? StorageUpkeep(settings, database, log: log) : nil
        let reader = PointReader(domain: domain.name, database: database, log: log)
        bridge = DomainBridge(
            settings, http: http, acceptance: acceptance, journal: journal, receipts: receipts, reader: reader,
            metrics: metrics, tail: tail)
        self.settings = settings
        self.database = database
        self.status = status
        self.reader = reader
        self.receipts = receipts
        self.handoff = handoff
        self.journal = journal
        self.metrics = metrics
        self.health = health
        self.budget = budget
        self.lanes = lanes
        self.acceptance = acceptance
    }

    /// nil while the journal does not grow.
    var timeUntilFull: Duration? { upkeep.timeUntilFull }

    /// Takes in what a reload can change of the domain's settings.
    /// - Throws: `WakeError`, when a connection to a broker cannot be made; the brokers are then as before.
    func reload(_ domain: Configuration.Domain, of configuration: Configuration, memory: Int) throws {
        settings.current = domain
        budget.setLimit(memory)
        handoff.setLimit(Self.handoffSize(memory))
        journal.bounds.current = configuration.journal.bounds
        bridge.reload()
        if bridge.keys.path != nil, let path = domain.keysFile { bridge.keys.path = path }
        upkeep.reload(try brokers.reload(domain))
    }

    /// Looks after what is idle. Comes once a second.
    /// - Parameter isTurn: whether an idle domain may look at its database.
    func tick(isTurn: Bool) {
        upkeep.tick()
        storage?.tick()
        dispatcher.lookIfDue(isTurn: isTurn)
        if reader.isIdle(for: DatabaseAccess.patience)
            || reader.isIdle(for: .seconds(1)) && database.server.wantsConnection
        {
            Task { await reader.close() }
        }
    }

    /// Runs until graceful shutdown.
    func run() async throws {
        async let accepting: Void = acceptance.run()
        async let dispatching: Void = dispatcher.run()
        async let writing: Void = Self.run(lanes) { await $0.run() }
        async let taking: Void = brokers.run()

        // Ends by throwing when the task is cancelled instead: the stages are stopped all the same.
        try? await gracefulShutdown()
        brokers.stop()
        upkeep.stop()
        storage?.stop()
        await taking
        await upkeep.finish()
        await storage?.finish()
        acceptance.stop()
        await accepting
        dispatcher.stop()
        let lookingUp = Self.after(Self.lookupTime) { [dispatcher] in dispatcher.interrupt() }
        await dispatching
        lookingUp.cancel()
        for lane in lanes { lane.stop(within: Self.stopTime) }
        let flushing = Self.after(Self.stopTime) { [lanes] in for lane in lanes { lane.interrupt() } }
        await writing
        flushing.cancel()
        // Nobody is left to tell them more.
        receipts.stop()
        await reader.close()
        await status.close()
        await dispatcher.trim()
        try journal.close()
    }

    /// Does something unless it is cancelled first.
    private static func after(_ time: Duration, _ body: @escaping @Sendable () -> Void) -> Task<Void, Never> {
        Task {
            do { try await Task.sleep(for: time) } catch { return }
            body()
        }
    }

    private static func run<Stage: Sendable>(
        _ stages: [Stage], _ body: @escaping @Sendable (Stage) async -> Void
    ) async {
        await withTaskGroup { group in
            for stage in stages { group.addTask { await body(stage) } }
        }
    }
}

extension JournalConfiguration {
    /// Of each domain's journal. Dead letters leave room for batches.
    fileprivate var bounds: Journal.Bounds {
        Journal.Bounds(
            maxSize: Int(maxSize), keep: keep, maxDeadLetters: Int(min(maxDeadLetters, maxSize / 4)))
    }
}
