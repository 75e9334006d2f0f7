import Glibc
import MQTT
import Testing

@Suite struct ConnectTests {
    /// Connects until it fails, and returns why and after how long.
    private func failure(_ options: Client.Options) throws -> (error: MQTTError, after: Duration) {
        let station = try Station(options)
        let start = ContinuousClock.now
        do {
            try station.client.connect()
        } catch {
            return (error, ContinuousClock.now - start)
        }
        let error = try station.end()
        #expect(station.client.fileDescriptor == nil)
        #expect(!station.client.isConnected)
        #expect(station.notes.connects.isEmpty)
        return (error, ContinuousClock.now - start)
    }

    private func options(_ host: String, _ port: UInt16, _ timeout: Duration = .milliseconds(500)) -> Client.Options {
        Client.Options(clientID: unique("connect"), host: host, port: port, connectTimeout: timeout)
    }

    /// The error of a call that needs a connection.
    private func code(_ call: () throws -> Void) -> MQTTError.Code? {
        #expect(throws: MQTTError.self, performing: call)?.code
    }

    @Test("it connects over IPv6")
    func ipv6() throws {
        let broker = try Broker([], host: "::1")
        defer { broker.stop() }
        let station = try Station(broker.options(), "a")
        try station.connect()
        try broker.publish("a", "-m", "six")
        try station.run { !$0.messages.isEmpty }
        #expect(station.notes.texts == ["six"])
        station.client.disconnect()
    }

    @Test("it connects to a host by name")
    func byName() throws {
        let broker = try Broker()
        defer { broker.stop() }
        var options = broker.options()
        if broker.host == "127.0.0.1" { options.host = "localhost" }
        let station = try Station(options)
        try station.connect()
        #expect(station.notes.connects == [false])
        station.client.disconnect()
    }

    @Test("an address that answers nothing is given up at the timeout, and connecting blocks nobody")
    func blackHole() throws {
        let hole = BlackHole()
        let station = try Station(options("127.0.0.1", hole.port))
        let start = ContinuousClock.now
        try station.client.connect()
        #expect(ContinuousClock.now - start < .milliseconds(200))
        #expect(station.client.wantsWrite)
        let error = try station.end()
        let after = ContinuousClock.now - start
        #expect(error.code == .timedOut)
        #expect(error.operation == .connect)
        #expect(error.message == "no connection to 127.0.0.1:\(hole.port) within 0.5 seconds")
        #expect(error.hint?.contains("firewall") == true)
        #expect(after >= .milliseconds(500) && after < .seconds(5))
    }

    @Test("a server that takes the connection and says nothing is given up at the timeout", arguments: [false, true])
    func silentServer(tls: Bool) throws {
        let server = ScriptedBroker()
        var options = options("127.0.0.1", server.port)
        if tls { options.tls = .init() }
        let (error, after) = try failure(options)
        #expect(error.code == .timedOut)
        #expect(error.hint?.contains("MQTT 5 broker's port, one \(tls ? "with" : "without") TLS") == true)
        #expect(after >= .milliseconds(500) && after < .seconds(5))
    }

    @Test("a server that hangs up before it accepts is reported at once", arguments: [false, true])
    func hangsUp(tls: Bool) throws {
        let server = ScriptedBroker()
        var options = options("127.0.0.1", server.port, .seconds(10))
        if tls { options.tls = .init() }
        let station = try Station(options)
        try station.client.connect()
        server.accept()
        try station.turn()
        server.hangUp()
        let error = try station.end(within: .seconds(5))
        #expect(error.operation == .connect)
        #expect([.connectionLost, .tls, .system].contains(error.code))
    }

    @Test("a port where nobody listens is reported at once")
    func refusedPort() throws {
        let port = freePort()
        let (error, after) = try failure(options("127.0.0.1", port, .seconds(10)))
        #expect(error.code == .system)
        #expect(error.errno == ECONNREFUSED)
        #expect(error.message == "Connection refused (127.0.0.1:\(port))")
        #expect(error.hint == "is the broker running, and the port right?")
        #expect(after < .seconds(5))
    }

    @Test("a host that does not exist is named")
    func unknownHost() throws {
        let (error, _) = try failure(options("no-such-host.invalid", 1883))
        #expect(error.code == .nameLookup)
        #expect(error.message.hasPrefix("cannot find the host no-such-host.invalid: "))
    }

    @Test("a server that speaks no MQTT is told from one that refuses")
    func otherProtocol() throws {
        let server = ScriptedBroker()
        let station = try Station(options("127.0.0.1", server.port, .seconds(10)))
        try station.client.connect()
        server.accept()
        server.send(Array(("HTTP/1.1 400 Bad Request\r\n" + String(repeating: "Header: value\r\n", count: 20)).utf8))
        let error = try station.end(within: .seconds(5))
        #expect(error.operation == .connect)
        #expect([.protocolViolation, .malformedPacket].contains(error.code))
    }

    @Test("a broker that knows MQTT 3 only is reported as one that refuses the version")
    func oldBroker() throws {
        let broker = ScriptedBroker()
        let station = try Station(options("127.0.0.1", broker.port, .seconds(10)))
        try station.client.connect()
        broker.accept()
        broker.send([0x20, 2, 0, 1])
        let error = try station.end(within: .seconds(5))
        #expect(error.code == .refused)
        #expect(error.reason == .unsupportedProtocolVersion)
        #expect(error.hint == "the broker must speak MQTT 5")
    }

    @Test("a broker that is killed is noticed, and found again once it is back")
    func brokerKilled() throws {
        let broker = try Broker([])
        defer { broker.stop() }
        let station = try Station(broker.options(), "a")
        try station.connect()
        broker.kill()
        let error = try station.end(within: .seconds(5))
        #expect([.connectionLost, .system].contains(error.code))
        #expect(error.endsConnection)
        #expect(throws: MQTTError.self) { try station.client.write() }
        #expect(try failure(broker.options()).error.errno == ECONNREFUSED)
        try broker.start()
        try station.connect()
        try broker.publish("a", "-m", "back")
        try station.run { !$0.messages.isEmpty }
        station.client.disconnect()
    }

    @Test("an address that did not answer is tried again, though the host has none of the other family")
    func triesAgain() throws {
        let hole = BlackHole()
        let station = try Station(options("127.0.0.1", hole.port, .milliseconds(100)))
        for _ in 1...3 {
            try station.client.connect()
            #expect(try station.end().code == .timedOut)
        }
    }

    @Test("without a connection, each call says so and ending it is allowed")
    func notConnected() throws {
        let station = try Station(options("127.0.0.1", 1))
        let client = station.client
        #expect(client.fileDescriptor == nil)
        #expect(!client.wantsWrite)
        #expect(code { _ = try client.read(limit: 1) } == .notConnected)
        #expect(code { try client.write() } == .notConnected)
        #expect(code { try client.keepAlive() } == .notConnected)
        #expect(code { _ = try client.subscribe(["a"]) } == .notConnected)
        #expect(code { _ = try client.unsubscribe(["a"]) } == .notConnected)
        client.disconnect()
        client.abandon()
    }

    @Test("disconnecting before the broker has accepted just closes")
    func disconnectEarly() throws {
        let server = ScriptedBroker()
        let station = try Station(options("127.0.0.1", server.port))
        try station.client.connect()
        server.accept()
        try station.turn()
        _ = server.receive()
        station.client.disconnect()
        #expect(server.receive().isEmpty)
        #expect(station.client.fileDescriptor == nil)
    }

    @Test("disconnecting from a broker that takes nothing is bounded in time")
    func disconnectIsBounded() throws {
        let broker = ScriptedBroker()
        let station = try Station(options("127.0.0.1", broker.port, .seconds(10)))
        try station.client.connect()
        broker.accept()
        broker.send(ScriptedBroker.acceptance)
        try station.run { $0.connects.count == 1 }
        let start = ContinuousClock.now
        station.client.disconnect(within: .milliseconds(200))
        let after = ContinuousClock.now - start
        #expect(after >= .milliseconds(200) && after < .seconds(2))
        #expect(broker.receive().suffix(2) == [0xE0, 0])
    }
}
