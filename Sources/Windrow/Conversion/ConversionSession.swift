import Glibc
import LibPQ

/// A conversion's connection, opened again when it breaks. It holds the lock that keeps a second conversion away.
final class ConversionSession {
    private let access: DatabaseAccess
    private let isInterrupted: () -> Bool
    private let waits: (String) -> Void
    private var connection: Connection?
    private var isLocked = false

    /// How long a database that is away is waited for.
    var patience = Duration.seconds(300)

    /// - Parameter waits: is told why, when it has to wait.
    init(
        _ domain: Configuration.Domain, _ schema: Schema, isInterrupted: @escaping () -> Bool,
        waits: @escaping (String) -> Void
    ) {
        var access = DatabaseAccess(connectionString: domain.postgres, schema: schema)
        // Comparing large tables takes hours.
        access.statementTimeout = .seconds(7 * 24 * 3600)
        self.access = access
        self.isInterrupted = isInterrupted
        self.waits = waits
    }

    func close() {
        connection?.close()
        connection = nil
    }

    /// Makes this the only one at work on `point`.
    func lock() throws {
        isLocked = true
        close()
        _ = try perform { _ in }
    }

    /// Runs `body`, and once more for as long as PostgreSQL is away and patience lasts.
    func perform<R>(_ body: (Connection) throws -> R) throws -> R {
        var backoff = DatabaseAccess.backoff
        var deadline: ContinuousClock.Instant?
        while true {
            do {
                if connection?.isUsable != true { connection = try open() }
                guard let connection else { preconditionFailure("it is open") }
                return try body(connection)
            } catch let error as PostgresError where error.endsConnection {
                close()
                // `body` may have taken hours before.
                let end = deadline ?? .now + patience
                deadline = end
                guard .now < end else { throw error }
                waits("\(error)")
                try pause(backoff.next())
            } catch let error as PostgresError where error.sqlState == .diskFull {
                throw ConversionError.diskFull(error.message)
            }
        }
    }

    /// - Throws: `ConversionError` when interrupted.
    func pause(_ duration: Duration) throws {
        let end = ContinuousClock.now + duration
        repeat {
            if isInterrupted() { throw ConversionError.interrupted }
            usleep(useconds_t(min(max(end - .now, .zero), .milliseconds(100)) / .microseconds(1)))
        } while ContinuousClock.now < end
    }

    private func open() throws -> Connection {
        let fresh = try access.connect("migrate")
        // The copy follows the primary key. What it commits need not be on disk before its end is.
        try fresh.script(
            """
            SET timezone = 'UTC'; SET synchronous_commit = off;
            SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off
            """)
        // A backend whose client was killed is to end soon (PostgreSQL 14 and later).
        try fresh.execute(
            "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'")
        if isLocked { try lock(fresh) }
        return fresh
    }

    private func lock(_ connection: Connection) throws {
        let name = "windrow conversion \(access.schema.name)"
        if try connection.takeCommandLock(name) { return }
        let holders = try connection.execute(
            """
            SELECT pid FROM pg_locks, hashtextextended($1, 0) AS k
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
                AND classid = ((k >> 32) & 4294967295)::oid AND objid = (k & 4294967295)::oid
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """, [.text(name)])
        throw ConversionError.busy(holders.count > 0 ? " (process \(try holders.int32(0, 0)) of PostgreSQL)" : "")
    }
}
