import Glibc
import LibPQ
import Logging

/// A connection for reading what people ask for: made when it is needed, made anew once if it broke meanwhile, and not tried again
/// and again while the database is away.
///
/// Not for threads to share.
struct ReadSession {
    private let database: DatabaseAccess
    private let purpose: String
    private let ticket: ConnectionLine.Ticket
    private let log: Logger
    private var connection: Connection?
    /// Told to the log once.
    private var isFailing = false
    /// A database that cannot be reached is left alone until then: waiting for it again and again would queue requests up.
    private var retryAt: ContinuousClock.Instant?
    private var backoff = DatabaseAccess.backoff

    /// Where the server takes no more connections, for its turn.
    private static let patience = Duration.seconds(5)

    /// - Parameter purpose: shown in `pg_stat_activity` and in the log.
    init(_ database: DatabaseAccess, purpose: String, log: Logger) {
        self.database = database
        ticket = database.server.makeTicket()
        self.purpose = purpose
        self.log = log
    }

    mutating func close() {
        connection?.close()
        connection = nil
    }

    mutating func read<R>(_ body: (Connection) throws(PostgresError) -> R) throws(PostgresError) -> R {
        do throws(PostgresError) {
            let result = try attempt(body)
            isFailing = false
            return result
        } catch {
            if !isFailing { log.error("cannot read points for the \(purpose)", metadata: ["error": "\(error)"]) }
            isFailing = true
            throw error
        }
    }

    /// Tries once more on a fresh connection if the one from before has broken since.
    private mutating func attempt<R>(_ body: (Connection) throws(PostgresError) -> R) throws(PostgresError) -> R {
        if let connection, connection.isUsable {
            do throws(PostgresError) {
                return try body(connection)
            } catch {
                guard error.kind == .connectionLost else { throw error }
            }
        }
        if let retryAt, .now < retryAt {
            throw PostgresError(
                operation: .connect, kind: .connectionFailed, message: "it could not be reached just now")
        }
        let fresh: Connection
        do {
            fresh = try connect()
        } catch {
            retryAt = .now + backoff.next()
            throw error
        }
        retryAt = nil
        backoff.reset()
        connection = fresh
        try fresh.script("SET default_transaction_read_only = on")
        return try body(fresh)
    }

    private func connect() throws(PostgresError) -> Connection {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            do throws(PostgresError) {
                return try database.connect(purpose, ticket)
            } catch {
                guard error.sqlState == .tooManyConnections, .now < deadline else { throw error }
                usleep(UInt32(DatabaseAccess.turn / .microseconds(1)))
            }
        }
    }
}
