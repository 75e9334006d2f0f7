import LibPQ
import Logging
import Synchronization

/// How to reach a domain's database.
struct DatabaseAccess: Sendable {
    var connectionString: Secret
    var schema: Schema
    var commit = Configuration.Commit.remote
    var statementTimeout: Duration = .seconds(60)
    /// Of several hosts the one that was reached last: it is tried first, so that one that is dead and does not refuse is waited for
    /// once and not by everybody.
    private let lastHost = LastHost()

    init(connectionString: Secret, schema: Schema) {
        self.connectionString = connectionString
        self.schema = schema
    }

    init(_ domain: Configuration.Domain) throws(PostgresError) {
        self.init(connectionString: domain.postgres, schema: try Schema(domain.schema))
        commit = domain.commit
    }

    /// Whether the connection string names several hosts.
    var hasSeveralHosts: Bool { Connection.hostCount(of: connectionString.reveal) > 1 }

    /// Between tries to reach a database that is away.
    static var backoff: Backoff { Backoff(first: .milliseconds(100), cap: .seconds(1)) }

    /// - Parameter purpose: shown in `pg_stat_activity`.
    func connect(_ purpose: String) throws(PostgresError) -> Connection {
        let connection = try Connection(
            connectionString.reveal, applicationName: "windrow \(purpose)", statementTimeout: statementTimeout,
            firstHost: lastHost.place.load(ordering: .relaxed))
        lastHost.place.store(connection.hostPlace, ordering: .relaxed)
        return connection
    }

    /// The host that was reached last hangs: another one is tried first.
    func preferAnotherHost() {
        lastHost.place.add(1, ordering: .relaxed)
    }

    private final class LastHost: Sendable {
        let place = Atomic(0)
    }
}

extension Configuration.Commit {
    /// Has the session's commits wait for what they are to wait for, whatever the role's default is: what is committed is forgotten
    /// elsewhere.
    func apply(to connection: Connection) throws(PostgresError) {
        switch self {
        case .local: try connection.script("SET synchronous_commit = local")
        case .remote:
            // What waits for more, remote_apply, stays.
            try connection.execute(
                """
                SELECT set_config('synchronous_commit', 'on', false)
                WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
                """)
        }
    }
}

/// Tells the log and the health page when the database goes away and when it is back, once each, with a reminder in between.
///
/// Not Sendable: each thread that talks to the database has its own.
final class DatabaseReporter {
    private let component: String
    private let health: DomainHealth
    private let log: Logger
    private var lastReport: ContinuousClock.Instant?
    private var lastMessage = ""

    private static let reminder = Duration.seconds(60)

    init(component: String, health: DomainHealth, log: Logger) {
        self.component = component
        self.health = health
        self.log = log
    }

    func succeeded() {
        health.set(.postgres, component, .working)
        if lastReport != nil {
            log.notice("PostgreSQL is back", metadata: ["component": "\(component)"])
            lastReport = nil
            lastMessage = ""
        }
    }

    /// Whether it works is not known until it is tried again.
    func forget() {
        health.remove(.postgres, component)
        lastReport = nil
        lastMessage = ""
    }

    func failed(_ error: any Error, doing operation: String) {
        let message = String(describing: error)
        health.set(.postgres, component, .failing(message))
        let isNews = message != lastMessage
        guard isNews || lastReport.map({ .now - $0 >= Self.reminder }) ?? true else { return }
        lastReport = .now
        lastMessage = message
        let isHopeless =
            error is SchemaError || error is StorageError
            || (error as? PostgresError)?.verdict == .stop
        log.log(
            level: isHopeless ? .critical : .error,
            isHopeless
                ? "cannot \(operation) before somebody mends it; points wait in the journal"
                : "cannot \(operation); points wait in the journal and it is tried again",
            metadata: ["component": "\(component)", "error": "\(message)"])
    }
}
