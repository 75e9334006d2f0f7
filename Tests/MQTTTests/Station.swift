import Glibc
import MQTT
import Testing

/// A client, a handler that notes what it is told, and the loop that the client wants.
final class Station {
    let notes: Notes
    let client: Client
    private var more = false

    /// - Parameter filters: subscribed to upon each acceptance.
    init(_ options: Client.Options, _ filters: String..., retained: RetainedDelivery = .always) throws {
        notes = Notes(filters, retained)
        client = try Client(options, handler: notes)
        notes.client = client
    }

    struct TimedOut: Error {}

    /// One turn of the loop; without `writing`, nothing that came is acknowledged.
    func turn(writing: Bool = true, limit: Int = 100, wait milliseconds: Int32 = 20) throws {
        let events = client.wantsWrite && (writing || !client.isConnected) ? POLLIN | POLLOUT : POLLIN
        var entry = pollfd(fd: try #require(client.fileDescriptor), events: Int16(events), revents: 0)
        poll(&entry, 1, more ? 0 : milliseconds)
        more = try client.read(limit: limit) == .limit
        try client.keepAlive()
        if writing { try client.write() }
    }

    /// Goes on until something is so.
    func run(
        writing: Bool = true, limit: Int = 100, wait milliseconds: Int32 = 20, within duration: Duration = .seconds(20),
        until isSo: (Notes) -> Bool
    ) throws {
        let deadline = ContinuousClock.now + duration
        while !isSo(notes) {
            guard ContinuousClock.now < deadline else { throw TimedOut() }
            try turn(writing: writing, limit: limit, wait: milliseconds)
        }
    }

    /// Goes on for a while, to see that something does not come.
    func run(writing: Bool = true, for duration: Duration) throws {
        let deadline = ContinuousClock.now + duration
        while ContinuousClock.now < deadline { try turn(writing: writing) }
    }

    /// Connects, and waits until the broker has answered the subscription. To send that acknowledges what came along;
    /// without filters, nothing is.
    func connect() throws {
        let (connects, subscriptions) = (notes.connects.count, notes.subscriptions.count)
        try client.connect()
        try run(writing: false) { $0.connects.count > connects }
        guard !notes.filters.isEmpty else { return }
        try client.write()
        try run(writing: false) { $0.subscriptions.count > subscriptions }
    }

    /// Goes on until the connection ends, and returns why.
    func end(within duration: Duration = .seconds(20)) throws -> MQTTError {
        do {
            try run(within: duration) { _ in false }
        } catch let error as MQTTError {
            return error
        }
        throw TimedOut()
    }
}

/// What a client told.
final class Notes: ClientHandler {
    struct Received: Equatable {
        var topic: String
        var payload: [UInt8]
        var qos: UInt8
        var isRetained: Bool
        var overwrite: String?

        var text: String { String(decoding: payload, as: UTF8.self) }
    }

    var filters: [String]
    private let retained: RetainedDelivery
    fileprivate(set) weak var client: Client?

    private(set) var connects: [Bool] = []
    private(set) var subscriptions: [(id: MessageID, results: [SubscriptionResult])] = []
    private(set) var unsubscriptions: [MessageID] = []
    var messages: [Received] = []
    /// What became of published messages.
    private(set) var answers: [(token: UInt64, reason: ReasonCode)] = []

    init(_ filters: [String], _ retained: RetainedDelivery) {
        self.filters = filters
        self.retained = retained
    }

    var texts: [String] { messages.map(\.text) }

    func connected(sessionPresent: Bool) {
        connects.append(sessionPresent)
        guard !filters.isEmpty else { return }
        #expect(throws: Never.self) { _ = try client?.subscribe(filters, retained: retained) }
    }

    func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {
        subscriptions.append((messageID, results))
    }

    func unsubscribed(_ messageID: MessageID) { unsubscriptions.append(messageID) }

    func published(_ token: UInt64, _ reason: ReasonCode) { answers.append((token, reason)) }

    func received(_ message: borrowing Message) {
        messages.append(
            Received(
                topic: message.withTopic { String(decoding: $0, as: UTF8.self) },
                payload: message.withPayload { Array($0) },
                qos: message.qos, isRetained: message.isRetained, overwrite: message.userProperty("overwrite")))
    }
}
