import LibPQ
import Logging

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
    private let stopping = Monitor(false)
    private var reported = ""

    /// Before the first time: the schema may have to be made first.
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

    /// Works until `stop()`.
    func run() {
        var pause = Self.startPause
        while stopping.wait(timeout: pause, until: { $0 ? true : nil }) == nil {
            pause = maintain() ? Self.interval : Self.retryPause
        }
    }

    nonisolated func stop() {
        stopping.withLock { $0 = true }
        interruption.interrupt()
    }

    /// False when it is to be tried again soon.
    private func maintain() -> Bool {
        do {
            let connection = try database.connect("storage")
            defer { connection.close() }
            interruption.watch(connection)
            try connection.script("SET lock_timeout = '\(Self.lockTimeout)'")
            guard let outcome = try PartitionSet(database.schema).maintain(domain.current.storage, connection) else {
                return false
            }
            if outcome.made > 0 || outcome.dropped > 0 {
                log.notice(
                    "partitions were looked after",
                    metadata: ["made": "\(outcome.made)", "dropped": "\(outcome.dropped)"])
            }
            reported = ""
            return true
        } catch {
            // While the database is away, the lanes tell.
            if "\(error)" != reported, !error.endsConnection {
                log.error("cannot look after the partitions; it is tried again", metadata: ["error": "\(error)"])
            }
            reported = "\(error)"
            return false
        }
    }
}
