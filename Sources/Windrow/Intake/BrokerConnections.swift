import Logging
import Synchronization

/// A domain's connections to its brokers: one for each session, which a reload may add to, change and end.
final class BrokerConnections: Sendable {
    private struct State: Sendable {
        /// By the names of their sessions.
        var running: [String: BrokerConnection] = [:]
        var streams = IntakeRules.StreamNumbers()
        var isStopping = false
    }

    private let state = Mutex(State())
    private let started: AsyncStream<BrokerConnection>
    private let start: AsyncStream<BrokerConnection>.Continuation
    private let make: @Sendable (BrokerConnection.Orders) throws -> BrokerConnection
    private let health: DomainHealth
    private let metrics: DomainMetrics
    private let presence: Presence
    private let log: Logger

    /// - Parameter make: a connection that does not run yet.
    init(
        health: DomainHealth, metrics: DomainMetrics, presence: Presence, log: Logger,
        make: @escaping @Sendable (BrokerConnection.Orders) throws -> BrokerConnection
    ) {
        (started, start) = AsyncStream.makeStream()
        self.health = health
        self.metrics = metrics
        self.presence = presence
        self.log = log
        self.make = make
    }

    /// Has the sessions of the configuration, and no others, with its rules.
    /// - Returns: the rules.
    /// - Throws: `WakeError`; the connections stay as they were.
    @discardableResult
    func reload(_ domain: Configuration.Domain) throws -> IntakeRules {
        try state.withLock { state in
            let rules = IntakeRules(domain, &state.streams)
            let orders = domain.brokers.map { BrokerConnection.Orders($0, rules) }
            var connections: [String: BrokerConnection] = [:]
            var fresh: [BrokerConnection] = []
            for order in orders {
                let name = BrokerConnection.name(of: order.broker)
                if let running = state.running[name] {
                    connections[name] = running
                } else {
                    let connection = try make(order)
                    connections[name] = connection
                    fresh.append(connection)
                }
            }
            // Nothing fails from here on.
            for order in orders { state.running[BrokerConnection.name(of: order.broker)]?.reload(order) }
            for (name, connection) in state.running where connections[name] == nil {
                log.notice(
                    "the session is given up; the broker keeps its messages until it expires",
                    metadata: ["broker": "\(name)"])
                connection.stop()
            }
            state.running = connections
            presence.have(sessions: Array(connections.keys))
            for connection in fresh {
                health.set(.broker, connection.name, .failing("not tried yet"))
                start.yield(connection)
            }
            if state.isStopping { for connection in connections.values { connection.stop() } }
            return rules
        }
    }

    /// Runs them until `stop()`.
    func run() async {
        await withTaskGroup { group in
            for await connection in started {
                group.addTask {
                    await connection.run()
                    let isGone = self.state.withLock { $0.running[connection.name] !== connection }
                    guard isGone else { return }
                    self.presence.joined([], session: connection.name)
                    self.health.remove(.broker, connection.name)
                    self.metrics.removed(broker: connection.name)
                }
            }
        }
    }

    /// Ends `run()` after what has been read is accepted and acknowledged.
    func stop() {
        state.withLock { state in
            state.isStopping = true
            for connection in state.running.values { connection.stop() }
        }
        start.finish()
    }
}
