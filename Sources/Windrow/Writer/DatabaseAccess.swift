import LibPQ
import Logging

/// How to reach a domain's database.
struct DatabaseAccess: Sendable {
    var connectionString: Secret
    var schema: Schema
    var statementTimeout: Duration = .seconds(60)

    /// Between tries to reach a database that is away.
    static var backoff: Backoff { Backoff(first: .milliseconds(100), cap: .seconds(5)) }

    /// - Parameter purpose: shown in `pg_stat_activity`.
    func connect(_ purpose: String) throws(PostgresError) -> Connection {
        try Connection(
            connectionString.reveal, applicationName: "windrow \(purpose)", statementTimeout: statementTimeout)
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
