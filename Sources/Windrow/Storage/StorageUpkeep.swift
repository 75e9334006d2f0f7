import LibPQ
import Logging
import Synchronization

/// Looks after a domain's partitions once an hour: makes those of the time to come, and drops those that the retention has passed.
///
/// A partition that is missing all the same is made when a point comes for it, so nothing waits for this.
actor StorageUpkeep {
    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let domain: Live<Configuration.Domain>
    private let database: DatabaseAccess
    private let log: Logger
    private let interruption = Interruption()
    private let schedule = Mutex(Schedule())
    private var reported = ""

    private struct Schedule {
        /// Before the first time: the schema may have to be made first.
        var next = ContinuousClock.now + startPause
        var isWorking = false
        var isStopping = false
    }

    private static let startPause = Duration.seconds(5)
    private static let interval = Duration.seconds(3600)
    private static let retryPause = Duration.seconds(60)
    /// What waits for a lock on the table makes all flushes wait behind it.
    private static let lockTimeout = "2s"

    init(_ domain: Live<Configuration.Domain>, _ database: DatabaseAccess, log: Logger) {
        executor = ThreadExecutor(name: "storage \(domain.current.name)")
        self.domain = domain
        self.database = database
        self.log = log
    }

    /// Does what is due, on a thread of its own. Comes once a second.
    nonisolated func tick() {
        let isDue = schedule.withLock { schedule in
            guard !schedule.isStopping, !schedule.isWorking, .now >= schedule.next else { return false }
            schedule.isWorking = true
            return true
        }
        if isDue { Task { await work() } }
    }

    /// Ends what is under way, and has nothing begin.
    nonisolated func stop() {
        schedule.withLock { $0.isStopping = true }
        interruption.interrupt()
    }

    /// Returns when what was under way has ended.
    func finish() {}

    private func work() {
        if isStopping { return }
        let pause = maintain() ? Self.interval : Self.retryPause
        schedule.withLock { schedule in
            schedule.next = .now + pause
            schedule.isWorking = false
        }
    }

    nonisolated private var isStopping: Bool { schedule.withLock { $0.isStopping } }

    /// False when it is to be tried again soon.
    private func maintain() -> Bool {
        do {
            let found = try database.server.enter(unless: { isStopping }) {
                let connection = try database.connect("storage")
                defer { connection.close() }
                interruption.watch(connection)
                try connection.script("SET lock_timeout = '\(Self.lockTimeout)'")
                return try PartitionSet(database.schema).maintain(domain.current.storage, connection)
            }
            guard let outcome = found else { return false }
            if outcome.made > 0 || outcome.dropped > 0 {
                log.notice(
                    "partitions were looked after",
                    metadata: ["made": "\(outcome.made)", "dropped": "\(outcome.dropped)"])
            }
            if let change = outcome.retention {
                log.notice(
                    "the retention that pg_partman had was not that of the configuration, and was changed",
                    metadata: ["from": "\(change.from ?? "none")", "to": "\(change.to ?? "none")"])
            }
            reported = ""
            return true
        } catch {
            // While the database is away, the lanes tell.
            if "\(error)" != reported, !isStopping, (error as? PostgresError)?.endsConnection != true {
                log.error("cannot look after the partitions; it is tried again", metadata: ["error": "\(error)"])
            }
            reported = "\(error)"
            return false
        }
    }
}
