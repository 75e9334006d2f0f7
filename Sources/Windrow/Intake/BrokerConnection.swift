import Glibc
import Logging
import MQTT
import Synchronization

// One thread a broker connection. It reads from the socket until that is drained or the batch is full, has the batch accepted,
// and only then lets the acknowledgements leave: `read` → journal, fsync → `write`.
//
// A crash before `write` leaves the messages with the broker, which sends them again; storage is idempotent. When the journal
// refuses a batch, the connection is dropped with its acknowledgements unsent, which has the same effect. When the journal has no
// room to begin with, nothing is read: the connection ends cleanly and the broker keeps what comes.

/// Takes messages from one broker.
actor BrokerConnection {
    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// What the configuration wants of a connection.
    struct Orders: Sendable {
        let broker: Configuration.Broker
        let rules: IntakeRules
        /// Tells the contents of the TLS files apart.
        private let identity: [UInt8]

        init(_ broker: Configuration.Broker, _ rules: IntakeRules) {
            self.broker = broker
            self.rules = rules
            identity = broker.tls.digest
        }

        var filters: [String] { broker.subscriptions.map(\.topic.filter) }

        /// Whether a connection made by other orders has to be made anew.
        func needsNewConnection(after other: Orders) -> Bool {
            var (own, others) = (broker, other.broker)
            own.subscriptions = []
            others.subscriptions = []
            return own != others || identity != other.identity
        }
    }

    var orders: Orders
    /// Given since.
    private let newOrders = Mutex<Orders?>(nil)
    private let domain: String
    private let tail: Tail
    private let acceptance: Acceptance
    let journal: Journal
    let presence: Presence
    private let metrics: DomainMetrics
    private let health: DomainHealth
    private let liveness: Liveness
    let log: Logger
    nonisolated let name: String
    let wake: Wake
    private var takeovers = Takeovers()
    /// Whether the session's groups are settled, as far as they can be: the daemon may go.
    private var hasLeft = false
    /// Batches that are settled at once, before one waits for company again.
    private var batchesUntilGather = 0

    /// Messages that a batch holds at most.
    private static let batchMessages = 2000
    /// Messages read between two looks at the size of the batch: with these, too, it fits into an empty journal.
    private static let readStep = 8
    /// About what a transaction of the journal takes. Its messages are acknowledged so much later, and stored no later: `flush.interval`
    /// is longer.
    private static let gatherTime = Duration.milliseconds(5)
    private static let batchesAfterVainGather = 16
    /// Between two looks at a journal that is full, and between keep-alive checks while messages come or the connection is made.
    private static let tick = Duration.seconds(1)
    /// Between keep-alive checks while nothing comes: pings are due every half minute.
    private static let idleTick = Duration.seconds(3)
    /// After which a subscription that the broker refused is tried again.
    private static let resubscribeInterval = Duration.seconds(60)

    init(
        domain: String, orders: Orders, acceptance: Acceptance, journal: Journal, presence: Presence,
        metrics: DomainMetrics, health: DomainHealth, tail: Tail, liveness: Liveness,
        log: Logger
    ) throws(WakeError) {
        executor = ThreadExecutor(name: "intake \(domain)")
        name = Self.name(of: orders.broker)
        self.domain = domain
        self.tail = tail
        self.orders = orders
        self.acceptance = acceptance
        self.journal = journal
        self.presence = presence
        self.metrics = metrics
        self.health = health
        self.liveness = liveness
        self.log = log
        wake = try Wake()
    }

    /// What the connection is called in logs and on the health page.
    static func name(of broker: Configuration.Broker) -> String { "\(broker.address) as \(broker.clientID)" }

    /// Ends `run()` after what has been read is accepted and acknowledged.
    nonisolated func stop() {
        wake.stop()
    }

    /// Has the connection go by other orders: at once, and without a new connection unless the broker has to be told.
    nonisolated func reload(_ orders: Orders) {
        newOrders.withLock { $0 = orders }
        wake.nudge()
    }

    /// Takes messages until `stop()`; connects again, with growing pauses, as often as it must.
    func run() {
        let intake = makeIntake(filters: orders.filters, decoder: orders.rules.decoder(forSession: name))
        var backoff = Backoff(first: .milliseconds(500), cap: .seconds(30))
        var subscribedAt: ContinuousClock.Instant?
        var reported = ""
        while !wake.isStopping {
            if !journal.hasRoom {
                waitForRoom()
                continue
            }
            subscribedAt = nil
            do {
                if try takeOrders(intake) { backoff.reset() }
                var options = Client.Options(orders.broker)
                options.payloadLimit = intake.payloadLimit
                try serve(Client(options, handler: intake), intake) {
                    backoff.reset()
                    reported = ""
                    subscribedAt = .now
                }
            } catch {
                let message = String(describing: error)
                health.set(.broker, name, .failing(message))
                if wake.isStopping {
                    log.notice(
                        "broker connection failed while it was ended",
                        metadata: ["broker": "\(name)", "error": "\(message)"])
                    break
                }
                let hasRival = presence.rival(of: name) != nil
                if let verdict = takeovers.ended(end(error, subscribedAt), hasRival: hasRival, at: .now) {
                    tell(verdict, message)
                    wake.wait(verdict.pause)
                    continue
                }
                let pause = backoff.next()
                // The same error again and again says nothing new.
                log.log(
                    level: message == reported ? .debug : .error, "broker connection failed; it is tried again",
                    metadata: ["broker": "\(name)", "error": "\(message)"])
                reported = message
                wake.wait(pause)
            }
        }
        health.set(.broker, name, .failing("stopped"))
        if !hasLeft, orders.filters.contains(where: SharedSession.isShared) { tellRemains() }
    }

    func makeIntake(filters: [String], decoder: MessageDecoder) -> MessageIntake {
        MessageIntake(domain: domain, filters: filters, decoder: decoder, journal: journal, tail: tail, log: log)
    }

    /// One connection, from connect to its end. Throws when it broke or the journal refused a batch.
    private func serve(_ client: Client, _ intake: MessageIntake, subscribed: () -> Void) throws {
        intake.begin(client: client, session: name, isNews: !takeovers.isUnderWay(at: .now))
        defer {
            intake.end()
            metrics.disconnected(from: name)
        }
        metrics.connecting(
            to: name, certificateExpiry: orders.broker.tls.certificateFile.flatMap(Certificate.expiry(ofFile:)))
        try client.connect()
        var outcome = ReadOutcome.drained
        var isReady = false
        var granted: [String] = []
        var isIdle = false
        // What was read is settled: from here on other rules may hold.
        while !wake.isStopping, journal.hasRoom, try !takeOrders(intake) {
            if outcome != .limit {
                let isBlocked = outcome == .blocked
                wake.wait(
                    isIdle ? Self.idleTick : Self.tick, for: client.fileDescriptor, toRead: !isBlocked,
                    toWrite: isBlocked || client.wantsWrite)
            }
            try liveness.working("intake \(name)") {
                outcome = try read(client, intake)
                isIdle = isReady && intake.messageCount == 0 && !client.wantsWrite
                if outcome == .drained { outcome = try gather(client, intake) }
                try settle(client, intake)
            }
            if let failure = intake.failure { throw failure }
            try intake.resubscribe(ifRefusedFor: Self.resubscribeInterval)
            if intake.granted != granted {
                granted = intake.granted
                presence.joined(groups(granted), session: name)
            }
            health.set(.broker, name, intake.state)
            if intake.state == .working, !isReady {
                isReady = true
                subscribed()
                metrics.connected(to: name)
                log.log(
                    level: takeovers.isUnderWay(at: .now) ? .debug : .notice, "subscribed",
                    metadata: ["broker": "\(name)", "topics": "\(intake.filters.joined(separator: " "))"])
            }
        }
        if wake.isStopping {
            try leaveGroups(client, intake)
            hasLeft = client.isConnected
        }
        // Everything that was read is acknowledged: a clean end loses nothing.
        client.disconnect()
    }

    private func end(_ error: any Error, _ subscribedAt: ContinuousClock.Instant?) -> Takeovers.End {
        guard let error = error as? MQTTError, let subscribedAt else { return .other }
        if error.reason == .sessionTakenOver { return .takenOver }
        let isClosed = error.code == .connectionLost && error.reason == nil || error.errno == ECONNRESET
        return isClosed ? .closed(after: .now - subscribedAt) : .other
    }

    private func tell(_ verdict: Takeovers.Verdict, _ message: String) {
        log.log(
            level: verdict.isTold ? .error : .debug,
            verdict.isCertain
                ? "another client uses this client id, and the broker gives it the session: each needs a client_id of its own"
                : "the broker ends the connection again and again: another client seems to use this client id; each needs one of its own",
            metadata: [
                "broker": "\(name)", "other": "\(presence.rival(of: name)?.description ?? "not known")",
                "pause": "\(verdict.pause / .milliseconds(100) / 10) s", "error": "\(message)",
            ])
    }

    /// Goes by the orders that came last.
    /// - Returns: whether they need another connection.
    private func takeOrders(_ intake: MessageIntake) throws -> Bool {
        guard let fresh = newOrders.withLock({ $0.take() }) else { return false }
        let needsNewConnection = fresh.needsNewConnection(after: orders)
        orders = fresh
        // What is not wanted any more is not served from now on.
        presence.joined(groups(intake.granted.filter(fresh.filters.contains)), session: name)
        try intake.reload(filters: fresh.filters, fresh.rules, session: name)
        return needsNewConnection
    }

    /// Fills the batch.
    func read(_ client: Client, _ intake: MessageIntake) throws -> ReadOutcome {
        while intake.messageCount < Self.batchMessages, intake.byteCount < journal.batchSize {
            let outcome = try client.read(limit: Self.readStep)
            if outcome != .limit { return outcome }
        }
        return .limit
    }

    /// Lets what comes within a moment share the batch's transaction.
    private func gather(_ client: Client, _ intake: MessageIntake) throws -> ReadOutcome {
        guard intake.messageCount > 0 else { return .drained }
        if batchesUntilGather > 0 {
            batchesUntilGather -= 1
            return .drained
        }
        let before = intake.messageCount
        wake.wait(Self.gatherTime)
        let outcome = try read(client, intake)
        // In vain: few messages come, or the broker sends no more until these are acknowledged.
        if intake.messageCount == before { batchesUntilGather = Self.batchesAfterVainGather }
        return outcome
    }

    /// Has the batch accepted, then lets the acknowledgements leave.
    func settle(_ client: Client, _ intake: MessageIntake) throws {
        let isNew = intake.messageCount > 0
        if isNew {
            let taken = intake.take()
            let ticket = Monitor<Result<Void, JournalError>?>(nil)
            acceptance.submit(
                Acceptance.Submission(
                    batch: taken.batch, receivedAt: taken.receivedAt, deadLetters: taken.deadLetters
                ) { result in
                    ticket.withLock { $0 = result }
                })
            if case .failure(let error) = ticket.wait(until: { $0 }) {
                health.set(.journal, "journal", .failing(error.description))
                client.abandon()
                throw error
            }
            health.set(.journal, "journal", .working)
            metrics.received(
                from: name, messages: taken.messageCount, retainedSkipped: taken.retainedSkipped,
                rejections: taken.rejections)
            tail.tell(taken.seen, missed: taken.unseen)
        }
        try client.keepAlive()
        if isNew { FaultPoint.acksBefore.pass() }
        try client.write()
        if isNew { FaultPoint.acksAfter.pass() }
    }

    private func waitForRoom() {
        health.set(.broker, name, .failing("disconnected: the journal is full"))
        log.error(
            "the journal is full; the broker keeps the messages until there is room",
            metadata: ["broker": "\(name)", "used": "\(journal.usedBytes)"])
        health.set(.journal, "journal", .failing("full"))
        while !wake.isStopping, !journal.hasRoom { wake.wait(Self.tick) }
        health.set(.journal, "journal", .working)
    }
}
