import LibPQ
import Logging
import Synchronization

/// How to reach a domain's database.
struct DatabaseAccess: Sendable {
    var connectionString: Secret
    var schema: Schema
    var commit = Configuration.Commit.remote
    var statementTimeout: Duration = .seconds(60)
    /// Shared by the domains that have it.
    var server: DatabaseServer
    /// Of several hosts the one that was reached last: it is tried first, so that one that is dead and does not refuse is waited for
    /// once and not by everybody.
    private let lastHost = LastHost()

    init(connectionString: Secret, schema: Schema, server: DatabaseServer = DatabaseServer()) {
        self.connectionString = connectionString
        self.schema = schema
        self.server = server
    }

    init(_ domain: Configuration.Domain, server: DatabaseServer = DatabaseServer()) throws(PostgresError) {
        self.init(connectionString: domain.postgres, schema: try Schema(domain.schema), server: server)
        commit = domain.commit
    }

    /// Whether the connection string names several hosts.
    var hasSeveralHosts: Bool { Connection.hostCount(of: connectionString.reveal) > 1 }

    /// Between tries to reach a database that is away.
    static var backoff: Backoff { Backoff(first: .milliseconds(100), cap: .seconds(1)) }

    /// Between two tries in line for a connection: most of them ask nobody.
    static let turn = Duration.milliseconds(100)

    /// How long a connection stays open from which nothing is wanted: longer than a minute, the usual pace of the slow ones, who would
    /// otherwise connect, and ask for the newest point of each series, for each flush.
    static let patience = Duration.seconds(120)

    /// - Parameter purpose: shown in `pg_stat_activity`.
    func connect(_ purpose: String) throws(PostgresError) -> Connection {
        let connection = try Connection(
            connectionString.reveal, applicationName: "windrow \(purpose)", statementTimeout: statementTimeout,
            firstHost: lastHost.place.load(ordering: .relaxed))
        lastHost.place.store(connection.hostPlace, ordering: .relaxed)
        return connection
    }

    /// - Parameter ticket: of one that can wait for its turn when the server has no connection left.
    func connect(_ purpose: String, _ ticket: ConnectionLine.Ticket) throws(PostgresError) -> Connection {
        try server.connect(ticket) { () throws(PostgresError) in try connect(purpose) }
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
    private let server: DatabaseServer
    private let health: DomainHealth
    private let log: Logger
    private var lastReport: ContinuousClock.Instant?
    private var lastMessage = ""
    /// Since when it waits for its turn to connect.
    private var isInLineSince: ContinuousClock.Instant?

    private static let reminder = Duration.seconds(60)
    /// Waiting for one's turn is no failure before that.
    private static let usualTurn = Duration.seconds(10)

    init(component: String, server: DatabaseServer, health: DomainHealth, log: Logger) {
        self.component = component
        self.server = server
        self.health = health
        self.log = log
    }

    func succeeded() {
        isInLineSince = nil
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
        if (error as? PostgresError)?.sqlState == .tooManyConnections {
            let since = isInLineSince ?? .now
            isInLineSince = since
            if .now - since < Self.usualTurn { return }
        } else {
            isInLineSince = nil
        }
        let message = String(describing: error)
        health.set(.postgres, component, .failing(message))
        if lastReport == nil, isInLineSince == nil, (error as? PostgresError)?.endsConnection == true {
            server.suspect()
        }
        // While the server is away, one of all that miss it reminds of it.
        let isReminder = message == lastMessage
        if isReminder, lastReport.map({ .now - $0 < Self.reminder }) ?? false { return }
        lastReport = .now
        if isReminder, (error as? PostgresError)?.endsConnection == true, !server.mayRemind(every: Self.reminder) {
            return
        }
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
