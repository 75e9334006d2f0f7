/// One connection's MQTT, apart from its socket: what came goes in; calls of the handler, and what is to be sent, come out.
///
/// A message's acknowledgement is queued here and nowhere else, behind everything that was queued before. Nothing in here sends.
final class Exchange {
    private let handler: any ClientHandler
    /// Outlives the connection.
    let outbox: Outbox
    private let options: Client.Options
    private let payloadLimit: Int

    private var incoming: PacketStream
    var outgoing = SendBuffer()
    var lastMessageID: UInt16
    /// Requests without an answer yet.
    private var requests: [Request] = []
    var maximumPacketSize = Requests.largestPacket
    /// What the broker says about publications.
    private(set) var publishing = Publishing()

    /// Whether the broker has accepted.
    private(set) var isAccepted = false
    /// What it said the keep-alive is to be, in seconds.
    private(set) var serverKeepAlive: UInt16?
    /// Whether the handler is being called just now.
    private(set) var isCallingHandler = false
    /// Whether a ping was answered since this was last reset.
    var isPingAnswered = false

    private struct Request {
        var messageID: UInt16
        var answer: PacketKind
        var filters: Int
    }

    /// Queues CONNECT.
    ///
    /// - Parameter capacity: bytes that are received at once, at most.
    init(
        _ options: Client.Options, handler: any ClientHandler, outbox: Outbox = Outbox(), capacity: Int = 1 << 18
    ) {
        self.handler = handler
        self.outbox = outbox
        self.options = options
        outbox.restart()
        lastMessageID = outbox.newestID ?? 0
        payloadLimit = options.payloadLimit
        incoming = PacketStream(capacity: capacity, payloadLimit: options.payloadLimit)
        outgoing.append(Requests.connect(options))
    }

    // MARK: What came

    /// Where to receive bytes; never empty.
    func room() -> UnsafeMutableRawBufferPointer { incoming.room() }

    /// Takes over bytes that were received into the room.
    func received(_ count: Int) { incoming.received(count) }

    /// Bytes of memory for receiving.
    var receiveCapacity: Int { incoming.capacity }

    /// Whether so many acknowledgements wait that no packet is handed over. A broker that keeps to the receive maximum never sends
    /// as much before it has them; mosquitto 2.0.11 sends all of a backlog, and reads acknowledgements more slowly than it sends.
    var isFull: Bool { outgoing.acknowledgements >= UInt16.max }

    /// Calls the handler for the packets that came whole, until there is none left, `limit` messages were handed over, or it is full.
    ///
    /// - Returns: how many messages were.
    /// - Throws: what ends the connection; then nothing more is asked of this exchange but `farewell`.
    func handOver(limit: Int) throws(Ending) -> Int {
        var count = 0
        while count < limit, !isFull {
            let ending: Ending?
            do throws(PacketError) {
                guard let packet = try incoming.next() else { break }
                if packet.kind == .publish {
                    try take(message: packet)
                    count += 1
                    continue
                }
                ending = try take(other: packet)
            } catch {
                throw .violation(error)
            }
            if let ending { throw ending }
        }
        return count
    }

    @inline(__always)
    private func take(message packet: IncomingPacket) throws(PacketError) {
        guard isAccepted else { throw .unexpectedPacket }
        let publication = try Publication(packet, payloadLimit: payloadLimit)
        if publication.qos > 0 {
            outgoing.acknowledge(publication.messageID)
        }
        isCallingHandler = true
        handler.received(Message(publication))
        isCallingHandler = false
    }

    /// - Returns: how the packet ends the connection, if it does.
    private func take(other packet: IncomingPacket) throws(PacketError) -> Ending? {
        guard isAccepted || packet.kind == .connack else { throw .unexpectedPacket }
        switch packet.kind {
        case .connack: return try accept(packet)
        case .suback, .unsuback: try answer(packet)
        case .pingresp:
            guard packet.body.isEmpty else { throw .trailingBytes }
            isPingAnswered = true
        case .disconnect:
            let disconnection = try Disconnection(packet.body)
            return .disconnected(disconnection.reason, disconnection.explanation)
        case .puback: try takeAnswer(packet)
        // We ask for no QoS 2 and know no enhanced authentication.
        default: throw .unexpectedPacket
        }
        return nil
    }

    private func accept(_ packet: IncomingPacket) throws(PacketError) -> Ending? {
        guard !isAccepted else { throw .unexpectedPacket }
        let answer = try ConnectAnswer(packet.body)
        if let refusal = answer.refusal { return refusal }
        isAccepted = true
        serverKeepAlive = answer.keepAlive
        maximumPacketSize = min(answer.maximumPacketSize, Requests.largestPacket)
        publishing = Publishing(
            window: min(answer.receiveMaximum, Int(options.inFlightMessages)), bytes: options.inFlightBytes,
            takesQoS1: answer.maximumQoS >= 1, continuesSession: answer.isSessionPresent)
        // Before anything that the handler publishes.
        sendFromOutbox()
        call { $0.connected(sessionPresent: answer.isSessionPresent) }
        return nil
    }

    private func answer(_ packet: IncomingPacket) throws(PacketError) {
        let answer = try RequestAnswer(packet)
        guard let place = requests.firstIndex(where: { $0.messageID == answer.messageID && $0.answer == packet.kind })
        else { throw .unaskedAnswer }
        guard answer.codes.count == requests[place].filters else { throw .answerCount }
        requests.remove(at: place)
        let messageID = MessageID(rawValue: answer.messageID)
        if packet.kind == .unsuback { return call { $0.unsubscribed(messageID) } }
        let results = answer.codes.map(SubscriptionResult.init)
        call { $0.subscribed(messageID, results: results) }
    }

    func call(_ body: (any ClientHandler) -> Void) {
        isCallingHandler = true
        body(handler)
        isCallingHandler = false
    }

    // MARK: What is to be sent

    var hasUnsent: Bool { !outgoing.isEmpty }
    /// The bytes to send, until anything else is asked of this exchange.
    var unsent: UnsafeRawBufferPointer { outgoing.unsent }

    /// Forgets unsent bytes, which were sent.
    func sent(_ count: Int) { outgoing.sent(count) }

    func ping() { outgoing.append(Requests.ping) }

    /// Queues DISCONNECT behind everything else.
    func disconnect() { outgoing.append(Requests.disconnect) }

    /// Leaves nothing to be sent but DISCONNECT with a reason, if the broker can be told: acknowledgements leave when the
    /// owner says so, and it will not any more.
    func farewell(_ reason: ReasonCode) {
        let canBeTold = isAccepted && !outgoing.isWithinPacket
        outgoing.clear()
        if canBeTold { outgoing.append(Requests.disconnect(reason)) }
    }

    func subscribe(_ filters: [String], retained: RetainedDelivery) throws(MQTTError) -> MessageID {
        try request(.subscribe, filters, answer: .suback) { Requests.subscribe($0, filters, retained: retained) }
    }

    func unsubscribe(_ filters: [String]) throws(MQTTError) -> MessageID {
        try request(.unsubscribe, filters, answer: .unsuback) { Requests.unsubscribe($0, filters) }
    }

    private func request(
        _ operation: MQTTError.Operation, _ filters: [String], answer: PacketKind, _ encode: (UInt16) -> [UInt8]
    ) throws(MQTTError) -> MessageID {
        guard isAccepted else { throw .notConnected(operation) }
        guard !filters.isEmpty else {
            throw MQTTError(operation: operation, code: .invalid, message: "no topic filter was given")
        }
        for filter in filters where !Topic.isFilter(filter) {
            throw MQTTError(
                operation: operation, code: .invalid, message: "not a topic filter: \(filter.debugDescription)",
                hint: "+ stands for one whole level, # for all the levels at the end")
        }
        let messageID = freeMessageID()
        let packet = encode(messageID)
        guard packet.count <= maximumPacketSize else {
            throw MQTTError(
                operation: operation, code: .packetTooLarge,
                message:
                    "the request has \(packet.count) bytes, and the broker takes no more than \(maximumPacketSize)",
                hint: "use fewer or shorter topic filters")
        }
        lastMessageID = messageID
        requests.append(Request(messageID: messageID, answer: answer, filters: filters.count))
        outgoing.append(packet)
        return MessageID(rawValue: messageID)
    }

    func isRequested(_ messageID: UInt16) -> Bool { requests.contains { $0.messageID == messageID } }

    /// The next that waits for no answer, and not 0. MQTT 5, section 2.2.1.
    private func freeMessageID() -> UInt16 {
        var candidate = lastMessageID
        repeat {
            candidate = candidate == .max ? 1 : candidate + 1
        } while isRequested(candidate) || outbox.holds(candidate)
        return candidate
    }
}
