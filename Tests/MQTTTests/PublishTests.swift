import Glibc
import MQTT
import Testing

/// What a client publishes, and what it does until the broker has it.
@Suite struct PublishTests {
    /// A client that a scripted broker has accepted, with these properties of CONNACK.
    private func station(
        _ broker: ScriptedBroker, properties: [UInt8] = [], inFlightBytes: Int = 1 << 24
    ) throws -> Station {
        let station = try Station(
            .init(clientID: "c", host: "127.0.0.1", port: broker.port, inFlightBytes: inFlightBytes))
        try connect(station, broker, properties: properties)
        return station
    }

    private func connect(
        _ station: Station, _ broker: ScriptedBroker, sessionPresent: Bool = false, properties: [UInt8] = []
    ) throws {
        let connects = station.notes.connects.count
        try station.client.connect()
        broker.accept()
        try station.run { _ in broker.receive(quietFor: 20).first == 0x10 }
        broker.send(
            [0x20, UInt8(3 + properties.count), sessionPresent ? 1 : 0, 0, UInt8(properties.count)] + properties)
        try station.run { $0.connects.count > connects }
    }

    private func publish(_ station: Station, _ token: UInt64, on topic: String = "t", _ text: String? = nil) throws
        -> Bool
    {
        try station.client.publish(token, on: Array(topic.utf8), Array((text ?? "\(token)").utf8))
    }

    /// PUBLISH on the topic `t`.
    private func packet(_ id: UInt8, _ text: String, again: Bool = false) -> [UInt8] {
        [again ? 0x3A : 0x32, UInt8(6 + text.utf8.count), 0, 1, 0x74, 0, id, 0] + Array(text.utf8)
    }

    @Test("a message leaves at QoS 1 with the next write, and its answer tells which it was and what became of it")
    func publishes() throws {
        let broker = ScriptedBroker()
        let station = try station(broker)
        for token in 101...105 as ClosedRange<UInt64> { #expect(try publish(station, token)) }
        #expect(broker.receive().isEmpty)
        try station.client.write()
        #expect(broker.receive() == (1...5).flatMap { packet($0, "\(100 + Int($0))") })
        #expect(station.client.unanswered == 5)

        // Short, with a reason, with properties, out of order.
        broker.send(
            [0x40, 2, 0, 1] + [0x40, 3, 0, 3, 0x10] + [0x40, 8, 0, 2, 0x87, 4, 0x1F, 0, 1, 0x78] + [
                0x40, 4, 0, 5, 0, 0,
            ])
        try station.run { $0.answers.count == 4 }
        #expect(station.notes.answers.map(\.token) == [101, 103, 102, 105])
        #expect(station.notes.answers.map(\.reason.rawValue) == [0, 0x10, 0x87, 0])
        #expect(station.notes.answers.map(\.reason.isFailure) == [false, false, true, false])
        broker.send(ScriptedBroker.puback(4))
        try station.run { $0.answers.count == 5 }
        #expect(station.client.unanswered == 0)
    }

    @Test("no more messages are under way than the broker's Receive Maximum, and each answer lets one more go")
    func window() throws {
        let broker = ScriptedBroker()
        let station = try station(broker, properties: [0x21, 0, 3])
        for token in 1...3 as ClosedRange<UInt64> { #expect(try publish(station, token)) }
        #expect(try publish(station, 4) == false)
        try station.client.write()
        broker.send(ScriptedBroker.puback(2))
        try station.run { $0.answers.count == 1 }
        #expect(try publish(station, 4))
        #expect(try publish(station, 5) == false)
        try station.client.write()
        #expect(broker.receive() == packet(1, "1") + packet(2, "2") + packet(3, "3") + packet(4, "4"))
    }

    @Test("no more bytes are kept than the options say, but one message is, however large")
    func bytes() throws {
        let broker = ScriptedBroker()
        let station = try station(broker, inFlightBytes: 100)
        #expect(try publish(station, 1, String(repeating: "x", count: 500)))
        #expect(try publish(station, 2) == false)
        try station.client.write()
        broker.send(ScriptedBroker.puback(1))
        try station.run { $0.answers.count == 1 }
        var count = 0
        while try publish(station, 2, String(repeating: "y", count: 24)) { count += 1 }
        #expect(count == 4)
    }

    @Test(
        "after a reconnect all that was not answered comes again before anything new, with DUP if the broker kept the session",
        arguments: [true, false])
    func comesAgain(sessionPresent: Bool) throws {
        let broker = ScriptedBroker()
        let station = try station(broker)
        for token in 1...5 as ClosedRange<UInt64> { #expect(try publish(station, token)) }
        try station.client.write()
        broker.send(ScriptedBroker.puback(1) + ScriptedBroker.puback(3))
        try station.run { $0.answers.count == 2 }
        station.client.abandon()
        #expect(station.client.unanswered == 4)
        #expect(throws: MQTTError.self) { try publish(station, 6) }

        // The broker takes fewer now, and one that was never sent is no repetition.
        try connect(station, broker, sessionPresent: sessionPresent, properties: [0x21, 0, 2])
        #expect(try publish(station, 6) == false)
        try station.client.write()
        #expect(broker.receive() == packet(2, "2", again: sessionPresent) + packet(4, "4", again: sessionPresent))
        broker.send(ScriptedBroker.puback(2))
        try station.run { $0.answers.count == 3 }
        #expect(broker.receive() == packet(5, "5", again: sessionPresent))
        broker.send(ScriptedBroker.puback(4) + ScriptedBroker.puback(5))
        try station.run { $0.answers.count == 5 }
        #expect(try publish(station, 6))
        try station.client.write()
        #expect(broker.receive() == packet(6, "6"))
        #expect(station.notes.answers.map(\.token) == [1, 3, 2, 4, 5])
    }

    @Test("a message that the broker cannot take is refused, and the connection goes on")
    func refusals() throws {
        let broker = ScriptedBroker()
        let station = try station(broker, properties: [0x27, 0, 0, 0, 50])
        for topic in ["", "a/+", "#", "nul\0", String(repeating: "x", count: 65_536)] {
            let error = #expect(throws: MQTTError.self) { try publish(station, 1, on: topic) }
            #expect(error?.operation == .publish)
        }
        #expect(throws: MQTTError.self) { try station.client.publish(1, on: [0x74, 0xFF], []) }
        let error = #expect(throws: MQTTError.self) { try publish(station, 1, String(repeating: "x", count: 43)) }
        #expect(error?.code == .packetTooLarge)
        #expect(error?.endsConnection == false)
        #expect(try publish(station, 1, String(repeating: "x", count: 42)))
        try station.client.write()
        #expect(broker.receive().count == 50)

        try connect(station, broker, properties: [0x24, 0])
        let other = #expect(throws: MQTTError.self) { try publish(station, 2) }
        #expect(other?.reason == .qosNotSupported)
    }

    @Test(
        "an answer to no message is a violation",
        arguments: [[0x40, 2, 0, 9], [0x40, 3, 0, 1, 0x02], [0x40, 1, 0], [0x40, 5, 0, 1, 0, 0, 0]] as [[UInt8]])
    func unasked(_ answer: [UInt8]) throws {
        let broker = ScriptedBroker()
        let station = try station(broker)
        #expect(try publish(station, 1))
        try station.client.write()
        _ = broker.receive()
        broker.send(answer)
        let error = try station.end()
        #expect(error.code == .protocolViolation || error.code == .malformedPacket)
        #expect(station.notes.answers.isEmpty)
    }

    @Test("identifiers go round, and pass over those of messages and subscriptions that wait for an answer")
    func identifiers() throws {
        let broker = ScriptedBroker()
        let station = try station(broker)
        #expect(try station.client.subscribe(["a"]) == MessageID(rawValue: 1))
        var published = 0
        for token in 2... as PartialRangeFrom<UInt64> {
            guard try publish(station, token) else { break }
            published += 1
            if token % 1000 == 0 {
                try station.client.write()
                _ = broker.receive(quietFor: 1)
                // All but the first message, which holds up the others.
                let from = token == 1000 ? 3 : token - 999
                broker.send((from...token).flatMap { [0x40, 2, UInt8($0 >> 8 & 0xFF), UInt8($0 & 0xFF)] })
                try station.run { $0.answers.count == Int(token) - 2 }
            }
        }
        // 2 to 65,535: 1 waits for SUBACK, and 2 for PUBACK.
        #expect(published == 65_534)
        broker.send([0x40, 2, 0, 2])
        try station.run { $0.answers.last?.token == 2 }
        #expect(try publish(station, 70_000))
        #expect(try station.client.unsubscribe(["a"]) == MessageID(rawValue: 3))
    }

    @Test("mosquitto takes thousands of messages in their order, and tells when nobody listens and what is not allowed")
    func mosquitto() throws {
        let folder = try Folder()
        defer { folder.remove() }
        let rules = try folder.write("acl", "topic deny denied/#\ntopic readwrite #\n")
        let broker = try Broker(["acl_file \(rules)", "max_inflight_messages 100"])
        defer { broker.stop() }
        let topic = unique("publish")
        let receiver = try Station(broker.options(), topic)
        try receiver.connect()
        let sender = try Station(broker.options())
        try sender.connect()
        var next: UInt64 = 1
        while sender.notes.answers.count < 5000 {
            while next <= 5000, try publish(sender, next, on: topic) { next += 1 }
            try sender.turn()
        }
        #expect(sender.notes.answers.map(\.token) == Array(1...5000))
        #expect(sender.notes.answers.allSatisfy { $0.reason.rawValue == 0 })
        try receiver.run { $0.messages.count == 5000 }
        #expect(receiver.notes.texts == (1...5000).map(String.init))
        #expect(try publish(sender, 5001, on: "nobody/listens"))
        #expect(try publish(sender, 5002, on: "denied/topic"))
        try sender.run { $0.answers.count == 5002 }
        #expect(sender.notes.answers.suffix(2).map(\.reason) == [.noMatchingSubscribers, .notAuthorized])
    }

    @Test(
        "over TLS, and through a broker that is killed in the middle, each message arrives, in order but for repetitions"
    )
    func killedBroker() throws {
        let certificates = try Certificates()
        defer { certificates.folder.remove() }
        let broker = try Broker(certificates.settings())
        defer { broker.stop() }
        var options = broker.options()
        options.host = "localhost"
        options.tls = Client.TLS(caFile: certificates.file("ca.crt"))
        let topic = unique("publish")
        let sender = try Station(options)
        try sender.connect()
        var next: UInt64 = 1
        while next <= 1000, try publish(sender, next, on: topic, String(repeating: "x", count: 2000)) { next += 1 }
        try sender.turn()
        broker.kill()
        #expect(throws: MQTTError.self) { try sender.run { _ in false } }
        let answered = sender.notes.answers.count

        try broker.start(certificates.settings())
        options.clientID = unique("receiver")
        let receiver = try Station(options, topic)
        try receiver.connect()
        try sender.connect()
        try sender.run { $0.answers.count == Int(next - 1) }
        #expect(sender.notes.answers.map(\.token) == Array(1..<next))
        try receiver.run { $0.messages.count == Int(next) - 1 - answered }
    }
}
