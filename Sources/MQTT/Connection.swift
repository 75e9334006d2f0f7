import Glibc

/// One connection to a broker, from its start to its end.
///
/// It keeps the invariant that **no acknowledgement leaves but in `write()`** and `disconnect`. They are queued by `Exchange`, and
/// its queue is sent by `flush()` alone, which is called from there; before the broker has accepted, when there can be no
/// acknowledgement, from `read` too. DISCONNECT for a broker that breaks the rules takes the place of all that was queued.
///
/// A new connection begins with nothing of an old one, and reads the TLS files anew. With the last reference the socket is closed.
final class Connection {
    private let options: Client.Options
    /// By then the broker must have accepted.
    private let deadline: ContinuousClock.Instant
    private let exchange: Exchange
    private let tls: TLSContext?
    private var dial: Dial
    private var channel: Channel?
    private var keepAliveState: KeepAlive
    /// What ended the connection, as long as packets that came before are handed over.
    private var ending: Ending?
    private(set) var phase = Phase.reaching

    enum Phase {
        /// TCP is being set up.
        case reaching
        /// TLS is being set up.
        case securing
        /// CONNACK is still to come.
        case opening
        case open
    }

    /// Starts to connect. Looks the host up, which may block.
    init(_ options: Client.Options, handler: any ClientHandler, outbox: Outbox) throws(MQTTError) {
        self.options = options
        exchange = Exchange(options, handler: handler, outbox: outbox)
        do throws(TLSFileError) {
            if let tls = options.tls { self.tls = try TLSContext(tls) } else { tls = nil }
        } catch {
            throw error.error
        }
        do throws(Ending) {
            let addresses = try Address.lookUp(options.host, port: options.port)
            let now = ContinuousClock.now
            deadline = now + options.connectTimeout
            keepAliveState = KeepAlive(seconds: options.keepAliveSeconds, now: now)
            dial = try Dial(addresses, deadline: deadline, now: now)
        } catch {
            throw MQTTError(.connect, error, .reaching, options)
        }
    }

    var isCallingHandler: Bool { exchange.isCallingHandler }
    var isConnected: Bool { exchange.isAccepted }
    var fileDescriptor: Int32? { (channel?.socket ?? dial.socket)?.descriptor }

    var wantsWrite: Bool {
        switch phase {
        case .reaching: true
        case .securing: channel?.wantsWrite ?? false
        case .opening, .open: exchange.hasUnsent || channel?.wantsWrite ?? false
        }
    }

    func subscribe(_ filters: [String], retained: RetainedDelivery) throws(MQTTError) -> MessageID {
        try exchange.subscribe(filters, retained: retained)
    }

    func unsubscribe(_ filters: [String]) throws(MQTTError) -> MessageID {
        try exchange.unsubscribe(filters)
    }

    func publish(_ token: UInt64, on topic: [UInt8], _ payload: [UInt8]) throws(MQTTError) -> Bool {
        try exchange.publish(token, on: topic, payload)
    }
}

extension Connection {
    func read(limit: Int) throws(MQTTError) -> ReadOutcome {
        do throws(Ending) {
            if phase != .open {
                try advance()
                guard let channel, phase == .opening else { return .drained }
                // CONNECT, which is all that can be queued yet.
                try flush(channel)
            }
            return try receive(limit: limit)
        } catch {
            sayGoodbye(error)
            throw failure(.read, error)
        }
    }

    func write() throws(MQTTError) {
        guard phase == .open, let channel else { return }
        do throws(Ending) {
            try flush(channel)
        } catch {
            throw failure(.write, error)
        }
    }

    func keepAlive() throws(MQTTError) {
        guard phase == .open else {
            if ContinuousClock.now >= deadline { throw failure(.connect, .timedOut) }
            return
        }
        switch keepAliveState.step(at: .now) {
        case .nothing: break
        case .ping: exchange.ping()
        case .giveUp: throw failure(.keepAlive, .unansweredPing)
        }
    }

    func disconnect(within patience: Duration) {
        guard phase == .open, let channel else { return }
        let deadline = ContinuousClock.now + patience
        exchange.disconnect()
        do throws(Ending) {
            try flush(channel)
            while exchange.hasUnsent {
                guard channel.socket.isReady(POLLOUT, within: deadline - .now) else { return }
                try flush(channel)
            }
        } catch {
            return
        }
        channel.close()
        // The broker closes when it has read so far. Closing first would lose acknowledgements: bytes that came unread
        // reset the connection, and a broker that sees the client come back before then drops what it has not read.
        channel.socket.discard(within: deadline - .now)
    }

    /// Takes the start as far as the host lets it now.
    private func advance() throws(Ending) {
        let now = ContinuousClock.now
        if phase == .reaching, let socket = try dial.advance(now) {
            channel = Channel(socket, try session(socket))
            phase = .securing
        }
        if phase == .securing, let channel, try channel.shakeHands() { phase = .opening }
        if now >= deadline { throw .timedOut }
    }

    private func session(_ socket: Socket) throws(Ending) -> TLSSession? {
        guard let tls = options.tls, let context = self.tls else { return nil }
        return try TLSSession(context, tls, options, socket)
    }

    /// Hands over what has come, and receives more, until there is nothing left or the limit is reached.
    private func receive(limit: Int) throws(Ending) -> ReadOutcome {
        guard let channel else { return .drained }
        var left = limit
        var isDrained = false
        while true {
            left -= try handOver(limit: left)
            if left == 0 { return .limit }
            if exchange.isFull {
                keepAliveState.drained()
                return .blocked
            }
            if let ending { throw ending }
            if isDrained {
                keepAliveState.drained()
                return .drained
            }
            let received = channel.receive(into: exchange.room())
            if received.count > 0 {
                exchange.received(received.count)
                keepAliveState.heard()
            }
            switch received.rest {
            case nil: break
            case .nothing: isDrained = true
            case .ended(let ending): self.ending = ending
            }
        }
    }

    private func handOver(limit: Int) throws(Ending) -> Int {
        // Also if what follows them ends the connection.
        defer {
            if phase == .opening, exchange.isAccepted {
                phase = .open
                keepAliveState = KeepAlive(seconds: exchange.serverKeepAlive ?? options.keepAliveSeconds, now: .now)
            }
            if exchange.isPingAnswered {
                exchange.isPingAnswered = false
                keepAliveState.answered()
            }
        }
        return try exchange.handOver(limit: limit)
    }

    /// Sends all that is queued, as far as the socket takes it.
    private func flush(_ channel: Channel) throws(Ending) {
        guard exchange.hasUnsent else { return }
        // A broker that takes acknowledgements is there, though nothing is read from it meanwhile.
        let isHeard = exchange.isFull
        var hasSent = false
        while exchange.hasUnsent {
            let count = try channel.send(exchange.unsent)
            if count == 0 { break }
            hasSent = true
            exchange.sent(count)
        }
        guard hasSent else { return }
        keepAliveState.sent(at: .now)
        if isHeard { keepAliveState.heard() }
    }

    /// Tells a broker that breaks the rules which one; if it cannot be told at once, it is not.
    private func sayGoodbye(_ ending: Ending) {
        guard case .violation(let error) = ending, let channel, !channel.isWithinRecord else { return }
        exchange.farewell(error.reason)
        // What comes of it changes nothing: the connection is over.
        try? flush(channel)
    }

    private func failure(_ operation: MQTTError.Operation, _ ending: Ending) -> MQTTError {
        MQTTError(operation, ending, phase, options)
    }
}
