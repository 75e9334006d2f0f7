@testable import MQTT

/// The input is what a broker sends, behind three bytes that say how it is received.
enum MQTTTarget {
    static func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        guard input.count >= 3 else { return false }
        let capacity = [16, 64, 300, 8192][Int(input[0] % 4)]
        let payloadLimit = Int(input[1])
        let pieces = UInt64(input[2])
        let bytes = Array(input.dropFirst(3))
        let expected = NaiveMQTT(bytes, capacity: capacity, payloadLimit: payloadLimit)

        let whole = Received(bytes, capacity, payloadLimit) { .max }
        try check(whole.events == expected.events, "\(whole.events), expected \(expected.events)")
        try check(whole.ending == expected.ending, "\(whole.ending), expected \(expected.ending)")
        try check(whole.sent == expected.sent, "sends \(whole.sent), expected \(expected.sent)")
        try check(
            !whole.explanation.unicodeScalars.contains { $0.properties.generalCategory == .control }, "not one line")
        // A piece is doubled into at most; a packet that is no message is kept whole.
        try check(whole.capacity <= 2 * (capacity + bytes.count), "\(whole.capacity) bytes for \(bytes.count)")

        var state = pieces
        let cut = Received(bytes, capacity, payloadLimit) {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return Int(state >> 33 % 7)
        }
        try check(
            cut.events == whole.events && cut.sent == whole.sent, "\(cut.events) in pieces, \(whole.events) at once")
        try check(cut.ending == whole.ending, "\(cut.ending) in pieces, \(whole.ending) at once")
        return !whole.events.isEmpty && whole.ending == .none
    }
}

/// What the client makes of a broker's bytes.
private final class Received: ClientHandler {
    private(set) var events: [NaiveMQTT.Event] = []
    private(set) var sent: [UInt8] = []
    private(set) var ending = NaiveMQTT.Ending.none
    private(set) var explanation = ""
    private(set) var capacity = 0
    private var exchange: Exchange?

    init(_ bytes: [UInt8], _ usualCapacity: Int, _ payloadLimit: Int, piece: () -> Int) {
        let options = Client.Options(clientID: "c", host: "h", payloadLimit: payloadLimit)
        let exchange = Exchange(options, handler: self, capacity: usualCapacity)
        self.exchange = exchange
        exchange.sent(exchange.unsent.count)
        do throws(MQTT.Ending) {
            try play(bytes[...], exchange, piece)
        } catch {
            switch error {
            case .violation: ending = .violation
            case .refused(let reason, let text): (ending, explanation) = (.refused(reason.rawValue), text ?? "")
            case .disconnected(let reason, let text):
                (ending, explanation) = (.disconnected(reason.rawValue), text ?? "")
            default: preconditionFailure("there is no socket")
            }
        }
        sent = Array(exchange.unsent)
        // The exchange holds its handler.
        self.exchange = nil
    }

    private func play(_ bytes: ArraySlice<UInt8>, _ exchange: Exchange, _ piece: () -> Int) throws(MQTT.Ending) {
        var rest = bytes
        while !rest.isEmpty {
            let room = exchange.room()
            let now = rest.prefix(max(min(piece(), room.count), 1))
            room.copyBytes(from: now)
            exchange.received(now.count)
            rest = rest.dropFirst(now.count)
            capacity = max(capacity, exchange.receiveCapacity)
            while try exchange.handOver(limit: 3) == 3 {}
        }
    }

    func connected(sessionPresent: Bool) {
        events.append(.connected(sessionPresent))
        // A broker may allow smaller packets only.
        _ = try? exchange?.subscribe(["a/#", "b/+"], retained: .never)
        _ = try? exchange?.unsubscribe(["c"])
    }

    func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {
        let codes = results.map { result in
            switch result {
            case .granted(let qos): qos
            case .refused(let reason): reason.rawValue
            }
        }
        events.append(.answered(messageID.rawValue, codes))
    }

    func unsubscribed(_ messageID: MessageID) { events.append(.answered(messageID.rawValue, [])) }

    func received(_ message: borrowing Message) {
        events.append(
            .message(
                .init(
                    topic: message.withTopic { Array($0) }, payload: message.withPayload { Array($0) },
                    size: message.payloadSize, qos: message.qos, isRetained: message.isRetained,
                    overwrite: message.userProperty("overwrite").map { Array($0.utf8) })))
    }
}
