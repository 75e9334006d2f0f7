import MQTT
import Testing

@Suite struct MessageTests {
    @Test("a user property is found by its name, the last one if there are several, and nil if there is none")
    func userProperties() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("message")
        let station = try Station(broker.options(), topic)
        try station.connect()
        func publish(_ text: String, _ properties: [[String]]) throws {
            try broker.publish(topic, ["-m", text] + properties.flatMap { ["-D", "publish"] + $0 })
        }
        try publish("none", [])
        try publish("other", [["user-property", "over", "write"], ["content-type", "overwrite"]])
        try publish("one", [["user-property", "overwrite", "insert"]])
        try publish(
            "several",
            [
                ["user-property", "overwrite", "insert"], ["content-type", "text"],
                ["user-property", "overwrite", "replace_window"], ["user-property", "z", "9"],
            ])
        try station.run { $0.messages.count >= 4 }
        #expect(station.notes.messages.map(\.overwrite) == [nil, nil, "insert", "replace_window"])
        station.client.disconnect()
    }

    @Test("a message that was stored before the subscription is marked as retained, a new one is not")
    func retained() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("message")
        try broker.publish(topic, "-r", "-m", "old")
        let station = try Station(broker.options(), topic)
        try station.connect()
        try station.run { $0.messages.count >= 1 }
        try broker.publish(topic, "-r", "-m", "new")
        try station.run { $0.messages.count >= 2 }
        #expect(station.notes.texts == ["old", "new"])
        #expect(station.notes.messages.map(\.isRetained) == [true, false])
        station.client.disconnect()
    }

    @Test("a payload of 1 MiB arrives whole, and so does an empty one")
    func sizes() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let folder = try Folder()
        defer { folder.remove() }
        let topic = unique("message")
        let station = try Station(broker.options(), topic)
        try station.connect()
        var numbers = SystemRandomNumberGenerator()
        let large = String(
            (0..<1 << 20).map { _ in Character(Unicode.Scalar(UInt8.random(in: 32...126, using: &numbers))) })
        try broker.publish(topic, "-f", try folder.write("large", large))
        try broker.publish(topic, "-n")
        try station.run { $0.messages.count >= 2 }
        #expect(station.notes.messages[0].payload == Array(large.utf8))
        #expect(station.notes.messages[1].payload.isEmpty)
        station.client.disconnect()
    }

    @Test("the topic's bytes arrive as they were published")
    func topics() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let prefix = unique("message")
        let station = try Station(broker.options(), "\(prefix)/#")
        try station.connect()
        let topics = [
            "\(prefix)/temp", "\(prefix)//", "\(prefix)/Außen 温度 🌡",
            "\(prefix)/" + String(repeating: "x", count: 60_000),
        ]
        for topic in topics { try broker.publish(topic, "-m", "1") }
        try station.run { $0.messages.count >= topics.count }
        #expect(station.notes.messages.map(\.topic) == topics)
        station.client.disconnect()
    }

    @Test(
        "what is published at QoS 2 arrives at QoS 1, at QoS 0 without acknowledgement",
        arguments: [(0, 0), (1, 1), (2, 1)])
    func qualities(published: Int, received: UInt8) throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("message")
        let station = try Station(broker.options(), topic)
        try station.connect()
        try broker.publish(topic, "-q", "\(published)", "-m", "1")
        try station.run(writing: false) { $0.messages.count >= 1 }
        #expect(station.notes.messages.map(\.qos) == [received])
        #expect(station.client.wantsWrite == (received > 0))
        station.client.disconnect()
    }

    @Test("a message that comes in pieces is handed over once it is whole")
    func pieces() throws {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        try station.client.connect()
        broker.accept()
        let bytes = ScriptedBroker.publish(Array("topic".utf8), id: 1, payload: Array("payload".utf8))
        broker.send(ScriptedBroker.acceptance)
        try station.run { $0.connects.count == 1 }
        for byte in bytes {
            #expect(station.notes.messages.isEmpty)
            broker.send([byte])
            try station.turn()
            try #expect(station.client.read(limit: 1) == .drained)
        }
        #expect(station.notes.messages.map(\.topic) == ["topic"])
        #expect(station.notes.texts == ["payload"])
    }

    @Test("a topic that is none ends the connection, and says what will happen", arguments: [[0x74, 0], [0xC3]])
    func malformedTopic(topic: [UInt8]) throws {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        try station.client.connect()
        broker.accept()
        broker.send(ScriptedBroker.acceptance + ScriptedBroker.publish(topic, id: 1))
        let error = try station.end()
        #expect(error.code == .malformedUTF8)
        #expect(error.hint?.contains("comes again") == true)
        #expect(station.notes.messages.isEmpty)
    }
}
