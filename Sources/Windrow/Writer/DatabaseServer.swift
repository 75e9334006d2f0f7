import LibPQ
import Logging
import Synchronization

/// A PostgreSQL server as its domains share it: it takes only so many connections, all its domains start at the same moment, and when
/// one domain finds it away the others want to know.
final class DatabaseServer: Sendable {
    private struct State {
        var line = ConnectionLine()
        /// What the server said to the last one that it refused.
        var refusal: PostgresError?
        var refusedAt: ContinuousClock.Instant?
        var toldAt: ContinuousClock.Instant?
        var suspectedAt: ContinuousClock.Instant?
        var remindedAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    /// Domains that prepare their databases just now.
    private let entering = Monitor(0)
    private let log = Logger(label: "windrow")

    /// Databases that are prepared at a time: as many domains more would only wait in the server.
    private static let entrance = 8
    private static let reminder = Duration.seconds(60)

    func makeTicket() -> ConnectionLine.Ticket { state.withLock { $0.line.makeTicket() } }

    /// Connects, or stands in line where the server takes no more connections.
    func connect(
        _ ticket: ConnectionLine.Ticket, _ make: () throws(PostgresError) -> Connection
    ) throws(PostgresError) -> Connection {
        try state.withLock { state throws(PostgresError) in
            if !state.line.mayAsk(ticket, at: .now), let refusal = state.refusal { throw refusal }
        }
        do throws(PostgresError) {
            let connection = try make()
            state.withLock { $0.line.leave(ticket) }
            return connection
        } catch {
            if error.sqlState == .tooManyConnections {
                refused(ticket, error)
            } else {
                state.withLock { $0.line.leave(ticket) }
            }
            throw error
        }
    }

    private func refused(_ ticket: ConnectionLine.Ticket, _ error: PostgresError) {
        let now = ContinuousClock.now
        let waiting = state.withLock { state -> Int? in
            state.line.refused(ticket, at: now)
            state.refusal = error
            state.refusedAt = now
            if let toldAt = state.toldAt, now - toldAt < Self.reminder { return nil }
            state.toldAt = now
            return state.line.waiting
        }
        guard let waiting else { return }
        log.warning(
            "PostgreSQL takes no more connections; the domains there take turns until it does",
            metadata: ["waiting": "\(waiting)", "error": "\(error)"])
    }

    /// Whether one that has a connection and does not need it just now is to close it, because others wait for one.
    var wantsConnection: Bool { state.withLock { $0.line.wantsConnection(at: .now) } }

    /// It has refused a connection to one that does not stand in line.
    func refused() { state.withLock { $0.refusedAt = .now } }

    /// Whether it has taken no more connections lately, and so is there.
    func hasRefused(within time: Duration) -> Bool {
        state.withLock { $0.refusedAt.map { .now - $0 < time } ?? false }
    }

    /// Somebody has lost the server, so that it is worth a look for everyone.
    func suspect() { state.withLock { $0.suspectedAt = .now } }

    /// When somebody lost the server the last time.
    var suspectedAt: ContinuousClock.Instant? { state.withLock { $0.suspectedAt } }

    /// Whether nobody else has said so lately that the server is still away.
    func mayRemind(every interval: Duration) -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.remindedAt, now - last < interval { return false }
            state.remindedAt = now
            return true
        }
    }

    /// Prepares a database, with a few others at a time at most.
    /// - Throws: what `body` throws, or `CancellationError` when stopped while waiting.
    func enter<R>(unless isStopping: () -> Bool, _ body: () throws -> R) throws -> R {
        while entering.wait(timeout: .milliseconds(200), until: { Self.take(&$0) }) == nil {
            if isStopping() { throw CancellationError() }
        }
        defer { entering.withLock { $0 -= 1 } }
        return try body()
    }

    private static func take(_ inside: inout Int) -> Bool? {
        guard inside < entrance else { return nil }
        inside += 1
        return true
    }
}

/// The servers of a daemon's domains, told apart by where they are.
final class DatabaseServers: Sendable {
    private let servers = Mutex<[String: DatabaseServer]>([:])

    func server(of connectionString: Secret) -> DatabaseServer {
        servers.withLock { servers in
            let address = serverAddress(of: connectionString.reveal)
            let server = servers[address] ?? DatabaseServer()
            servers[address] = server
            return server
        }
    }
}
