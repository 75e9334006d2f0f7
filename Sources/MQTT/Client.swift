/// A client of one MQTT 5 broker that takes messages at QoS 1 and acknowledges them when its owner says so, and publishes others.
///
/// One client, one thread: the owner's thread makes all calls, and waits for the descriptor itself. In a loop:
///
///     try client.connect()
///     var outcome = ReadOutcome.drained
///     while running {
///         let events = (outcome == .blocked ? 0 : POLLIN) | (outcome == .blocked || client.wantsWrite ? POLLOUT : 0)
///         var entry = pollfd(fd: client.fileDescriptor!, events: Int16(events), revents: 0)
///         poll(&entry, 1, outcome == .limit ? 0 : 1000)
///         outcome = try client.read(limit: 2000)
///         …                            // make durable what the handler was given
///         try client.keepAlive()
///         try client.write()           // acknowledges all of it
///     }
///
/// Every turn calls `read`, whatever `poll` said: it also carries the start of a connection forward, and with TLS the
/// next message may wait in memory where `poll` cannot see it. The error that ends a connection is thrown once; then
/// `connect()` anew.
///
/// The broker may send a message again that it was given an acknowledgement for, if that was lost on its way.
public final class Client {
    private let options: Options
    private let handler: any ClientHandler
    private var connection: Connection?
    private let outbox = Outbox()

    /// Connects nothing yet.
    ///
    /// - Parameter handler: kept alive by the client. If it holds the client in turn, let it do so `unowned`.
    /// - Throws: `.configure` if the options can never work.
    public init(_ options: Options, handler: any ClientHandler) throws(MQTTError) {
        try options.validate()
        self.options = options
        self.handler = handler
    }

    /// Starts to connect, after abandoning any connection there was. `read` takes it further; `ClientHandler.connected`
    /// tells when it is done, and `read` or `keepAlive` throw if it fails or is not done within
    /// `Options.connectTimeout`.
    ///
    /// MQTT 5 with clean start off: the session that the broker kept goes on. Blocks for the name lookup only. If the
    /// host has several addresses, IPv4 or IPv6, they are tried in turn until one takes the connection.
    /// - Throws: `.connect` if the lookup or a TLS file fails, or no address can even be tried.
    public func connect() throws(MQTTError) {
        abandon()
        connection = try Connection(options, handler: handler, outbox: outbox)
    }

    /// What to poll for reading, and for writing if `wantsWrite`. Nil while there is no connection, begun or done. May
    /// be another after each `read` that takes the start of a connection further.
    public var fileDescriptor: Int32? { connection?.fileDescriptor }

    /// Whether something is queued for `write()`, or a beginning connection waits for its socket to become writable.
    ///
    /// After `read` it is true until the `write` that acknowledges, so an owner that polls in between should not ask
    /// for it.
    public var wantsWrite: Bool { connection?.wantsWrite ?? false }

    /// Whether the broker has accepted the connection.
    public var isConnected: Bool { connection?.isConnected ?? false }

    /// Calls the handler for each packet that has come, until the socket is drained or `limit` messages were handed
    /// over. No packet leaves in here but the CONNECT of a beginning connection, and, if the broker breaks MQTT's
    /// rules, a DISCONNECT that says so, in the place of all that is queued.
    ///
    /// Many messages take one system call: what came with them waits in memory for the next call.
    ///
    /// If it throws, the messages of this call and of others since the last `write()` come again on the next
    /// connection.
    /// - Parameter limit: at least 1.
    /// - Returns: `.limit` if more may wait where `poll` does not see it: call again without waiting.
    public func read(limit: Int) throws(MQTTError) -> ReadOutcome {
        precondition(limit > 0, "a limit of no messages reads nothing")
        return try run(.read) { connection throws(MQTTError) in
            try connection.read(limit: limit)
        }
    }

    /// Sends all that is queued, as far as the socket takes it. With it go the acknowledgements of everything read so
    /// far, so call it when that is durable, and not before.
    ///
    /// If `wantsWrite` is still true after it, the socket is full: poll for writing, and go on with the loop.
    public func write() throws(MQTTError) {
        try run(.write) { connection throws(MQTTError) in try connection.write() }
    }

    /// Queues a ping when one is due, for the next `write()`, and throws if the last one was not answered or a
    /// beginning connection takes too long. Call it about once a second, and before `write()`.
    public func keepAlive() throws(MQTTError) {
        try run(.keepAlive) { connection throws(MQTTError) in try connection.keepAlive() }
    }

    /// Queues a subscription at QoS 1 to all the filters, for the next `write()`; the answer comes to
    /// `ClientHandler.subscribed`.
    ///
    /// QoS 1 it is and no other: at QoS 2, a message would be confirmed before it is durable. What was published
    /// at QoS 2 arrives at QoS 1; what was published at QoS 0 arrives at QoS 0, without any acknowledgement.
    /// - Throws: `.subscribe` if a filter is none or there is no connection; the connection goes on.
    @discardableResult
    public func subscribe(
        _ filters: [String], retained: RetainedDelivery = .toNewSubscription
    ) throws(MQTTError) -> MessageID {
        guard let connection else { throw .notConnected(.subscribe) }
        return try connection.subscribe(filters, retained: retained)
    }

    /// Queues the end of subscriptions, for the next `write()`; the answer comes to `ClientHandler.unsubscribed`.
    /// - Throws: `.unsubscribe` if a filter is none or there is no connection; the connection goes on.
    @discardableResult
    public func unsubscribe(_ filters: [String]) throws(MQTTError) -> MessageID {
        guard let connection else { throw .notConnected(.unsubscribe) }
        return try connection.unsubscribe(filters)
    }

    /// Queues a message at QoS 1 for the next `write()`; the answer comes to `ClientHandler.published`.
    ///
    /// The client keeps it until then: if the connection ends first, the next one begins with all that was not answered, in its order.
    /// So the broker may get a message twice, but none before one that was published earlier for the first time.
    ///
    /// - Parameters:
    ///   - token: tells the owner which message an answer is for.
    ///   - topic: UTF-8 without wildcards.
    /// - Returns: false if as many are under way as the broker or the options allow: nothing was queued, try again after an answer.
    /// - Throws: `.publish` if the topic is none, the message is too large for the broker, it takes nothing at QoS 1, or there is no
    /// connection; the connection goes on.
    public func publish(_ token: UInt64, on topic: [UInt8], _ payload: [UInt8]) throws(MQTTError) -> Bool {
        guard let connection else { throw .notConnected(.publish) }
        return try connection.publish(token, on: topic, payload)
    }

    /// Messages that were published and not answered, on this connection or an earlier one.
    public var unanswered: Int { outbox.count }

    /// Sends what is queued, **acknowledgements included**, then DISCONNECT, and closes. The session stays with the
    /// broker.
    ///
    /// - Parameter patience: how long it may block for a socket that takes nothing; after that it is as good as
    /// `abandon()`.
    public func disconnect(within patience: Duration = .seconds(2)) {
        demandOutsideHandler()
        connection?.disconnect(within: patience)
        connection = nil
    }

    /// Closes without sending what is queued: what was not acknowledged, or answered, comes again on the next connection.
    public func abandon() {
        demandOutsideHandler()
        connection = nil
    }

    private func run<R>(
        _ operation: MQTTError.Operation, _ body: (Connection) throws(MQTTError) -> R
    ) throws(MQTTError) -> R {
        demandOutsideHandler()
        guard let connection else { throw .notConnected(operation) }
        do {
            return try body(connection)
        } catch {
            self.connection = nil
            throw error
        }
    }

    /// The connection is in the middle of its work when it calls.
    private func demandOutsideHandler() {
        precondition(connection?.isCallingHandler != true, "called from within ClientHandler")
    }
}

/// Why `Client.read` returned.
public enum ReadOutcome: Sendable {
    /// Nothing is left to read for now.
    case drained
    /// There may be more.
    case limit
    /// So many acknowledgements wait that nothing is taken from the broker until it takes some of them: poll for writing alone.
    case blocked
}

/// Which retained messages a broker sends upon a subscription. MQTT 5, section 3.8.3.1.
public enum RetainedDelivery: Sendable {
    /// All that match, each time.
    case always
    /// Those that match, if the session does not hold the subscription yet: a reconnect does not repeat them.
    case toNewSubscription
    case never
}
