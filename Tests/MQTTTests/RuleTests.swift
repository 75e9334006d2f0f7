import Glibc
import MQTT
import Testing

/// What a broker says and does that a scripted one shows best.
@Suite struct RuleTests {
    private let broker = ScriptedBroker()

    private func options(keepAlive: UInt16 = 30) -> Client.Options {
        .init(clientID: "c", host: "127.0.0.1", port: broker.port, keepAliveSeconds: keepAlive)
    }

    /// A station whose connection the broker has accepted, with properties in CONNACK.
    private func accepted(_ properties: [UInt8] = [], keepAlive: UInt16 = 30) throws -> Station {
        let station = try Station(options(keepAlive: keepAlive))
        try station.client.connect()
        broker.accept()
        try station.run(writing: false) { _ in broker.receive().first == 0x10 }
        broker.send([0x20, UInt8(3 + properties.count), 0, 0, UInt8(properties.count)] + properties)
        try station.run(writing: false) { !$0.connects.isEmpty }
        return station
    }

    /// A text as a property.
    private func property(_ name: UInt8, _ text: String) -> [UInt8] {
        [name, 0, UInt8(text.utf8.count)] + Array(text.utf8)
    }

    @Test("thousands of messages are handed over by one read, and acknowledged by one write, not before")
    func oneGo() throws {
        let station = try accepted()
        var bytes: [UInt8] = []
        for id in 1...2000 as ClosedRange<UInt16> {
            bytes += [0x32, 7, 0, 1, 0x74, UInt8(id >> 8), UInt8(truncatingIfNeeded: id), 0, 0x31]
        }
        broker.send(bytes)
        // All of it has come when the last message can be looked at.
        var entry = pollfd(fd: try #require(station.client.fileDescriptor), events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, 5000)
        usleep(50_000)
        #expect(try station.client.read(limit: 5000) == .drained)
        #expect(station.notes.messages.count == 2000)
        #expect(broker.receive().isEmpty)
        try station.client.write()
        #expect(!station.client.wantsWrite)
        let received = broker.receiveOnce()
        #expect(received.count == 8000)
        #expect(stride(from: 0, to: received.count, by: 4).allSatisfy { received[$0] == 0x40 && received[$0 + 1] == 2 })
        let ids = stride(from: 0, to: received.count, by: 4).map { Int(received[$0 + 2]) << 8 | Int(received[$0 + 3]) }
        #expect(ids == Array(1...2000))
    }

    @Test("what is left in memory is given by the next read, though the socket has nothing more")
    func leftInMemory() throws {
        let station = try accepted()
        broker.send((1...5).flatMap { ScriptedBroker.publish([0x74], id: $0) })
        try station.run(writing: false, limit: 2) { $0.messages.count == 2 }
        var entry = pollfd(fd: try #require(station.client.fileDescriptor), events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 100) == 0)
        #expect(try station.client.read(limit: 2) == .limit)
        #expect(station.notes.messages.count == 4)
        #expect(try station.client.read(limit: 2) == .drained)
        #expect(station.notes.messages.count == 5)
    }

    @Test(
        "a broker that breaks the rules is told which one, and is acknowledged nothing",
        arguments: [
            ([0x30, 0x80, 0x00], 0x81, MQTTError.Code.malformedPacket),
            ([0x34, 6, 0, 1, 0x74, 0, 1, 0], 0x9B, .protocolViolation),
            ([0xF0, 0], 0x82, .protocolViolation), ([0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 1], 0x94, .protocolViolation),
            ([0x90, 0x81, 0x80, 0x40], 0x95, .packetTooLarge), ([0x30, 4, 0, 1, 0, 0], 0x81, .malformedUTF8),
        ] as [([UInt8], UInt8, MQTTError.Code)])
    func goodbye(packet: [UInt8], reason: UInt8, code: MQTTError.Code) throws {
        let station = try accepted()
        broker.send(ScriptedBroker.publish([0x74], id: 1) + packet)
        let error = #expect(throws: MQTTError.self) {
            try station.run(writing: false, within: .seconds(5)) { _ in false }
        }
        #expect(error?.code == code)
        #expect(error?.operation == .read)
        #expect(error?.message.hasPrefix("the broker does not keep to MQTT 5: it sent a") == true)
        #expect(station.notes.messages.count == 1)
        #expect(broker.receive() == [0xE0, 1, reason])
        #expect(station.client.fileDescriptor == nil)
    }

    @Test("a broker's own keep-alive counts, not ours")
    func serverKeepAlive() throws {
        let station = try accepted([0x13, 0, 5], keepAlive: 60)
        let start = ContinuousClock.now
        try station.run(within: .seconds(10)) { _ in broker.receive(quietFor: 10).contains(0xC0) }
        #expect(.now - start < .seconds(5))
        broker.send([0xD0, 0])
        try station.run(for: .milliseconds(100))
        #expect(station.client.isConnected)
    }

    @Test("no packet is larger than the broker takes; the connection goes on")
    func maximumPacketSize() throws {
        let station = try accepted([0x27, 0, 0, 0, 20])
        let long = String(repeating: "x", count: 13)
        for request in [{ try station.client.subscribe([long]) }, { try station.client.unsubscribe([long + "x"]) }] {
            let error = #expect(throws: MQTTError.self) { _ = try request() }
            #expect(error?.code == .packetTooLarge)
            #expect(error?.endsConnection == false)
        }
        try station.client.subscribe([String(repeating: "x", count: 10)])
        try station.client.write()
        #expect(broker.receive().count == 18)
    }

    @Test("what a broker says beside its reason is passed on, on one line")
    func reasonStrings() throws {
        let text = property(0x1F, "too\nmany \u{7}clients") + property(0x1C, "other.example:1884")
        let station = try accepted()
        broker.send([0xE0, UInt8(2 + text.count), 0x9C, UInt8(text.count)] + text)
        let ended = try station.end()
        #expect(ended.reason == .useAnotherServer)
        #expect(
            ended.message
                == "the broker ended the connection: use another server (reason 0x9C), it says: too many  clients; use other.example:1884"
        )
        #expect(ended.hint == "set the address of the broker that took its place")

        try station.client.connect()
        broker.accept()
        broker.send([0x20, UInt8(3 + text.count), 0, 0x9D, UInt8(text.count)] + text)
        let refused = try station.end()
        #expect(refused.code == .refused)
        #expect(refused.reason == .serverMoved)
        #expect(
            refused.message.hasSuffix("server moved (reason 0x9D), it says: too many  clients; use other.example:1884"))
    }

    @Test("a broker that ends the connection without a reason has ended it", arguments: [[0xE0, 0], [0xE0, 1, 0]])
    func noReason(packet: [UInt8]) throws {
        let station = try accepted()
        broker.send(packet)
        let error = try station.end()
        #expect(error.code == .connectionLost)
        #expect(error.message == "the broker ended the connection, and gave no reason")
    }

    @Test("what came before the connection's end is handed over")
    func beforeTheEnd() throws {
        let station = try accepted()
        broker.send((1...3).flatMap { ScriptedBroker.publish([0x74], id: $0) } + [0x32])
        broker.hangUp()
        try station.run(writing: false, limit: 1) { $0.messages.count == 3 }
        let error = try station.end()
        #expect(error.code == .connectionLost)
        #expect(error.message == "the broker closed the connection")
    }

    @Test("writing to a broker that is gone is an error, not a signal")
    func noSignal() throws {
        let station = try accepted()
        broker.hangUp()
        let error = #expect(throws: MQTTError.self) {
            for _ in 1...100 {
                try station.client.subscribe(["a"])
                try station.client.write()
                usleep(10_000)
            }
        }
        #expect(error?.operation == .write)
        #expect(error?.code == .system)
        #expect(station.client.fileDescriptor == nil)
    }

    @Test("a socket that is full takes the rest later, and disconnecting waits for it")
    func fullSocket() throws {
        let station = try accepted()
        // More than both ends' memory takes.
        var count = 0
        while !station.client.wantsWrite, count < 10_000 {
            try station.client.subscribe([String(repeating: "x", count: 60_000)])
            try station.client.write()
            count += 1
        }
        #expect(station.client.wantsWrite)
        var received = 0
        while station.client.wantsWrite {
            received += broker.receiveOnce(1 << 20).count
            try station.client.write()
        }
        received += broker.receive().count
        #expect(received == count * (60_010))
    }

    @Test("a client that publishes nothing takes no acknowledgement of a publication")
    func unaskedAcknowledgement() throws {
        let station = try accepted()
        broker.send([0x40, 2, 0, 1])
        #expect(try station.end().code == .protocolViolation)
    }
}
