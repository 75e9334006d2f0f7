import Logging
import Synchronization

/// A domain's connections to its brokers: one for each session, which a reload may add to, change and end.
final class BrokerConnections: Sendable {
    private struct State: Sendable {
        /// By the names of their sessions.
        var running: [String: BrokerConnection] = [:]
        var orders: [BrokerConnection.Orders] = []
        /// Given up, or running, and not ended yet.
        var unended: Set<String> = []
        var streams = IntakeRules.StreamNumbers()
        /// In the place of a daemon that is gone.
        var adopting: BrokerConnection?
        /// Why that failed the last time.
        var adoptionFailure = ""
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
            presence.have(
                sessions: Dictionary(
                    uniqueKeysWithValues: orders.map {
                        (BrokerConnection.name(of: $0.broker), SharedSession($0.broker))
                    }))
            state.orders = orders
            for connection in fresh {
                health.set(.broker, connection.name, .failing("not tried yet"))
                // A session that was given up a moment ago must be out of its groups before it is in them again.
                if state.unended.insert(connection.name).inserted { start.yield(connection) }
            }
            if state.isStopping { for connection in connections.values { connection.stop() } }
            return rules
        }
    }

    /// Runs them until `stop()`.
    func run() async {
        await withTaskGroup { group in
            group.addTask { for await session in self.presence.orphans { await self.adopt(session) } }
            for await connection in started {
                group.addTask {
                    await connection.run()
                    self.ended(connection)
                }
            }
        }
    }

    private func ended(_ connection: BrokerConnection) {
        let name = connection.name
        state.withLock { state in
            state.unended.remove(name)
            // Stopped with the daemon.
            if state.running[name] === connection { return }
            presence.joined([], session: name)
            metrics.removed(broker: name)
            if let next = state.running[name] {
                // The configuration has it again.
                state.unended.insert(name)
                start.yield(next)
            } else {
                health.remove(.broker, name)
            }
        }
    }

    /// Takes what a broker keeps for a session whose daemon is gone. If it fails, the dispatcher has it tried again.
    private func adopt(_ session: SharedSession) async {
        do {
            let connection = try state.withLock { state throws -> BrokerConnection? in
                let own = state.orders.first { orders in
                    "\(orders.broker.address)" == session.broker && session.filters.isSubset(of: orders.filters)
                }
                // By now it may be a session of this daemon, by a reload.
                guard !state.isStopping, state.running[session.name] == nil, var broker = own?.broker,
                    let rules = own?.rules
                else { return nil }
                broker.clientID = session.clientID
                let connection = try make(BrokerConnection.Orders(broker, rules))
                state.adopting = connection
                return connection
            }
            guard let connection else { return }
            defer { state.withLock { $0.adopting = nil } }
            let outcome = try await connection.adopt(session)
            log.log(
                level: outcome.messages > 0 ? .notice : .info,
                "took over what the broker kept for a daemon that is gone",
                metadata: ["broker": "\(session.name)", "messages": "\(outcome.messages)"])
            if !outcome.mayHaveMore { presence.adopted(session) }
        } catch {
            let isNews = state.withLock { state in
                defer { state.adoptionFailure = "\(error)" }
                return state.adoptionFailure != "\(error)"
            }
            log.log(
                level: isNews ? .warning : .debug,
                "cannot take over what the broker keeps for a daemon that is gone; it is tried again if that one does not come back",
                metadata: ["broker": "\(session.name)", "error": "\(error)"])
        }
    }

    /// Ends `run()` after what has been read is accepted and acknowledged.
    func stop() {
        presence.endAdoptions()
        state.withLock { state in
            state.isStopping = true
            state.adopting?.stop()
            for connection in state.running.values { connection.stop() }
        }
        start.finish()
    }
}
