@testable import MQTT

/// What an exchange told its handler, in order.
final class Recorder: ClientHandler {
    enum Event: Equatable {
        case connected(sessionPresent: Bool)
        case subscribed(UInt16, [SubscriptionResult])
        case unsubscribed(UInt16)
        case message(Received)
    }

    struct Received: Equatable {
        var topic: String
        var payload: [UInt8]
        var size: Int
        var qos: UInt8
        var isRetained = false
        var overwrite: String?
        var lacksProperties = false
    }

    private(set) var events: [Event] = []
    /// Upon acceptance it asks for two subscriptions, under the identifier 1, and to end one, under 2.
    fileprivate(set) weak var exchange: Exchange?

    func connected(sessionPresent: Bool) {
        events.append(.connected(sessionPresent: sessionPresent))
        _ = try? exchange?.subscribe(["a/#", "b/+"], retained: .never)
        _ = try? exchange?.unsubscribe(["c"])
    }

    func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {
        events.append(.subscribed(messageID.rawValue, results))
    }

    func unsubscribed(_ messageID: MessageID) { events.append(.unsubscribed(messageID.rawValue)) }

    func received(_ message: borrowing Message) {
        events.append(
            .message(
                Received(
                    topic: message.withTopic { String(decoding: $0, as: UTF8.self) },
                    payload: message.withPayload { Array($0) }, size: message.payloadSize, qos: message.qos,
                    isRetained: message.isRetained, overwrite: message.userProperty("overwrite"),
                    lacksProperties: message.lacksProperties)))
    }
}

/// An exchange without a socket, and all that came of it.
struct Played {
    var events: [Recorder.Event]
    /// What was queued for the broker behind CONNECT and the requests of `Recorder`.
    var sent: [UInt8]
    var ending: PacketError?
    /// The most memory that was used for receiving.
    var capacity = 0

    /// Has the bytes come in pieces of the sizes that `piece` tells, and handed over so many messages at a time.
    init(
        _ bytes: [UInt8], payloadLimit: Int = .max, capacity usual: Int = 1 << 18, limit: Int = .max,
        pieces piece: () -> Int = { .max }
    ) {
        let recorder = Recorder()
        let options = Client.Options(clientID: "c", host: "h", payloadLimit: payloadLimit)
        let exchange = Exchange(options, handler: recorder, capacity: usual)
        recorder.exchange = exchange
        exchange.sent(exchange.unsent.count)
        var rest = bytes[...]
        do throws(Ending) {
            while !rest.isEmpty {
                let room = exchange.room()
                precondition(!room.isEmpty, "no room for what comes")
                let now = rest.prefix(max(min(piece(), room.count), 1))
                room.copyBytes(from: now)
                exchange.received(now.count)
                rest.removeFirst(now.count)
                capacity = max(capacity, exchange.receiveCapacity)
                while try exchange.handOver(limit: limit) == limit {}
            }
        } catch {
            if case .violation(let error) = error { ending = error }
        }
        events = recorder.events
        sent = Array(exchange.unsent)
        if events.first == .connected(sessionPresent: false) || events.first == .connected(sessionPresent: true) {
            sent.removeFirst(Requests.subscribe(1, ["a/#", "b/+"], retained: .never).count)
            sent.removeFirst(Requests.unsubscribe(2, ["c"]).count)
        }
    }

    var messages: [Recorder.Received] {
        events.compactMap { if case .message(let message) = $0 { message } else { nil } }
    }
}
