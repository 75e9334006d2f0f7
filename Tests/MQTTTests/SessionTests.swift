import MQTT
import Testing

@Suite struct SessionTests {
    @Test("the session stays with the broker: it keeps the subscription and what is published in the meantime")
    func sessionSurvives() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("session")
        let options = broker.options()
        let first = try Station(options, topic)
        try first.connect()
        #expect(first.notes.connects == [false])
        first.client.disconnect()
        #expect(!first.client.isConnected)
        try broker.publish(topic, count: 30)

        // Another client of that name, as after a restart; it does not subscribe.
        let second = try Station(options)
        try second.connect()
        #expect(second.notes.connects == [true])
        #expect(second.client.isConnected)
        try second.run { $0.messages.count >= 30 }
        #expect(second.notes.texts == (1...30).map(String.init))
        second.client.disconnect()
    }

    @Test("CONNECT asks for MQTT 5, a kept session and its expiry, and states the receive maximum, at each connection")
    func connectPacket() throws {
        let broker = ScriptedBroker()
        let station = try Station(
            .init(
                clientID: "id", host: "127.0.0.1", port: broker.port, username: "me", password: "pw",
                keepAliveSeconds: 258,
                sessionExpirySeconds: 0x0102_0304, receiveMaximum: 0x0506))
        for _ in 1...2 {
            try station.client.connect()
            broker.accept()
            var sent: [UInt8] = []
            try station.run { _ in
                sent += broker.receive()
                return !sent.isEmpty
            }
            // MQTT 5, section 3.1: flags 0xC0 are user name and password, without clean start.
            let header: [UInt8] = [0x10, 31, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 0xC0, 1, 2]
            let properties: [UInt8] = [8, 0x11, 1, 2, 3, 4, 0x21, 5, 6]
            #expect(sent == header + properties + [0, 2, 0x69, 0x64, 0, 2, 0x6D, 0x65, 0, 2, 0x70, 0x77])
        }
    }

    @Test("subscribing again is answered, and repeats the retained messages only if asked to")
    func resubscribe() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("session")
        try broker.publish(topic, "-r", "-m", "kept")
        for (retained, expected) in [
            (RetainedDelivery.always, ["kept", "kept"]), (.toNewSubscription, ["kept"]), (.never, []),
        ] {
            let station = try Station(broker.options(), topic, retained: retained)
            for _ in 1...2 {
                try station.connect()
                try station.run(for: .milliseconds(150))
                station.client.disconnect()
            }
            #expect(station.notes.texts == expected)
            #expect(station.notes.connects == [false, true])
            #expect(station.notes.subscriptions.map(\.results) == [[.granted(qos: 1)], [.granted(qos: 1)]])
            #expect(!station.notes.messages.contains { !$0.isRetained })
        }
    }

    @Test("several filters go in one request, with one result each, and a shared subscription is one of them")
    func severalFilters() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("session")
        let station = try Station(broker.options(), "\(topic)/a/+", "\(topic)/b/#", "$share/group/\(topic)/c")
        try station.connect()
        #expect(station.notes.subscriptions.first?.results == Array(repeating: .granted(qos: 1), count: 3))
        for name in ["a/1", "a/1/2", "b/1/2", "c"] { try broker.publish("\(topic)/\(name)", "-m", name) }
        try station.run { $0.messages.count >= 3 }
        #expect(station.notes.texts == ["a/1", "b/1/2", "c"])
        station.client.disconnect()
    }

    @Test("after unsubscribing nothing comes any more")
    func unsubscribe() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("session")
        let station = try Station(broker.options(), "\(topic)/a", "\(topic)/b")
        try station.connect()
        let request = try station.client.unsubscribe(["\(topic)/a"])
        try station.run { !$0.unsubscriptions.isEmpty }
        #expect(station.notes.unsubscriptions == [request])
        try broker.publish("\(topic)/a", "-m", "no")
        try broker.publish("\(topic)/b", "-m", "yes")
        try station.run { !$0.messages.isEmpty }
        #expect(station.notes.texts == ["yes"])
        station.client.disconnect()
    }

    @Test("a second client of the same id ends the first one's connection, which is told so")
    func takenOver() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let options = broker.options()
        let first = try Station(options)
        try first.connect()
        let second = try Station(options)
        try second.connect()
        let error = try first.end()
        #expect(error.code == .connectionLost)
        // mosquitto 2.0.11 closes without a reason.
        #expect(error.hint?.contains("same client id") == true)
        #expect(error.endsConnection)
        #expect(!first.client.isConnected)
        #expect(first.client.fileDescriptor == nil)
        second.client.disconnect()
    }

    @Test(
        "the reason that a broker gives for ending the connection is passed on",
        arguments: [
            (0x8E, ReasonCode.sessionTakenOver, "session taken over (reason 0x8E)"),
            (0x8B, .serverShuttingDown, "server shutting down (reason 0x8B)"),
            (0x9B, ReasonCode(rawValue: 0x9B), "qos not supported (reason 0x9B)"),
        ])
    func brokerDisconnects(code: UInt8, reason: ReasonCode, text: String) throws {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        try station.client.connect()
        broker.accept()
        broker.send(ScriptedBroker.acceptance + ScriptedBroker.publish([0x74], id: 1) + [0xE0, 1, code])
        let error = try station.end()
        #expect(station.notes.messages.count == 1)
        // It was accepted, though all came at once.
        #expect(error.operation == .read)
        #expect(error.code == .connectionLost)
        #expect(error.reason == reason)
        #expect(error.message == "the broker ended the connection: \(text)")
        #expect(throws: MQTTError.self) { try station.client.read(limit: 1) }
        #expect(!broker.receive().contains(0x40))
    }

    @Test("a ping keeps an idle connection with a short keep-alive")
    func keepAlive() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("session")
        var options = broker.options()
        options.keepAliveSeconds = 5
        let station = try Station(options, topic)
        try station.connect()
        // A broker gives up after one and a half times the keep-alive. MQTT 5, section 3.1.2.10.
        try station.run(for: .seconds(9))
        try broker.publish(topic, "-m", "still here")
        try station.run { !$0.messages.isEmpty }
        station.client.disconnect()
    }

    @Test("a broker that answers no ping is given up")
    func unansweredPing() throws {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        try station.client.connect()
        broker.accept()
        broker.send(ScriptedBroker.acceptance(keepAliveSeconds: 2))
        try station.run { $0.connects.count == 1 }
        let error = try station.end()
        #expect(error.operation == .keepAlive)
        #expect(error.code == .keepAlive)
        #expect(Array(broker.receive().suffix(2)) == [0xC0, 0])
    }
}
