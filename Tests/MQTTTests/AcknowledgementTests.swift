import Glibc
import MQTT
import Testing

/// The promise that the wrapper exists for: nothing is acknowledged before `write()`.
@Suite struct AcknowledgementTests {
    @Test("messages that were read but not written come again, all of them and each time")
    func unwrittenComesAgain() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("ack")
        let station = try Station(broker.options(), topic)
        try station.connect()
        station.notes.filters = []  // The session keeps the subscription.
        try broker.publish(topic, count: 50)
        let all = (1...50).map(String.init)
        for _ in 1...3 {
            try station.run(writing: false) { $0.messages.count >= 50 }
            #expect(station.notes.texts == all)
            station.client.abandon()
            station.notes.messages = []
            try station.connect()
        }
        try station.run(writing: false) { $0.messages.count >= 50 }
        #expect(station.notes.texts == all)
        station.client.disconnect()
    }

    @Test("messages that were read and written do not come again")
    func writtenIsDone() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("ack")
        let station = try Station(broker.options(), topic)
        try station.connect()
        try broker.publish(topic, count: 50)
        try station.run { $0.messages.count >= 50 }
        station.client.disconnect()
        station.notes.messages = []
        try station.connect()
        try station.run(for: .milliseconds(300))
        #expect(station.notes.texts.isEmpty)
        station.client.disconnect()
    }

    @Test("a connection that breaks takes the acknowledgements that were not written with it")
    func brokenConnection() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("ack")
        let station = try Station(broker.options(), topic)
        try station.connect()
        try broker.publish(topic, count: 20)
        try station.run(writing: false) { $0.messages.count >= 20 }
        shutdown(try #require(station.client.fileDescriptor), Int32(SHUT_RDWR))
        #expect(try station.end().code == .connectionLost)
        #expect(station.client.fileDescriptor == nil)
        station.notes.messages = []
        try station.connect()
        try station.run { $0.messages.count >= 20 }
        #expect(station.notes.texts == (1...20).map(String.init))
        station.client.disconnect()
    }

    @Test("disconnecting hands the broker every acknowledgement, even when unread messages are left behind")
    func disconnectSendsAll() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("ack")
        let station = try Station(broker.options(), topic)
        try station.connect()
        try broker.publish(topic, count: 5000)
        try station.run(limit: 500) { $0.messages.count >= 3000 }
        station.client.disconnect()
        let read = station.notes.messages.count
        try station.connect()
        try station.run { $0.messages.count >= 5000 }
        try station.run(for: .milliseconds(200))
        #expect(read < 5000)
        #expect(station.notes.texts == (1...5000).map(String.init))
        station.client.disconnect()
    }

    @Test(
        "no packet leaves while messages are read, a ping falls due and subscriptions are made; then all do, in order")
    func onlyWriteSends() throws {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        try station.client.connect()
        broker.accept()
        try station.run(writing: false) { _ in broker.receive().first == 0x10 }
        broker.send(ScriptedBroker.acceptance(keepAliveSeconds: 2))
        try station.run(writing: false) { $0.connects.count == 1 }

        for id in 1...3 as ClosedRange<UInt8> { broker.send(ScriptedBroker.publish([0x74], id: id)) }
        try station.run(writing: false) { $0.messages.count == 3 }
        try station.client.subscribe(["a/+"])
        try station.client.unsubscribe(["b/#"])
        #expect(broker.receive(quietFor: 2500).isEmpty)
        try station.client.keepAlive()
        #expect(try station.client.read(limit: 10) == .drained)
        #expect(station.client.wantsWrite)
        #expect(broker.receive().isEmpty)

        try station.client.write()
        let acknowledgements = ScriptedBroker.puback(1) + ScriptedBroker.puback(2) + ScriptedBroker.puback(3)
        let subscribe: [UInt8] = [0x82, 9, 0, 1, 0, 0, 3, 0x61, 0x2F, 0x2B, 0x11]
        let unsubscribe: [UInt8] = [0xA2, 8, 0, 2, 0, 0, 3, 0x62, 0x2F, 0x23]
        let ping: [UInt8] = [0xC0, 0]
        #expect(broker.receive() == acknowledgements + subscribe + unsubscribe + ping)
        #expect(!station.client.wantsWrite)
    }

    @Test("nothing of an abandoned connection is sent on the next one")
    func abandonedQueueIsGone() throws {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        for id in 1...3 as ClosedRange<UInt8> {
            try station.client.connect()
            broker.accept()
            try station.run(writing: false) { _ in broker.receive().first == 0x10 }
            // Half a message stays behind, too.
            broker.send(
                ScriptedBroker.acceptance + ScriptedBroker.publish([0x74], id: id)
                    + ScriptedBroker.publish([0x74], id: 9).prefix(4))
            try station.run(writing: false) { $0.messages.count == Int(id) }
            if id == 3 {
                try station.client.write()
                #expect(broker.receive() == ScriptedBroker.puback(3))
            }
            station.client.abandon()
            #expect(station.client.fileDescriptor == nil)
            #expect(broker.receive().isEmpty)
        }
    }

    @Test("the broker is not allowed more unacknowledged messages than the receive maximum")
    func receiveMaximum() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("ack")
        var options = broker.options()
        options.receiveMaximum = 10
        let station = try Station(options, topic)
        try station.connect()
        try broker.publish(topic, count: 45)
        try station.run(writing: false) { $0.messages.count >= 10 }
        try station.run(writing: false, for: .milliseconds(300))
        #expect(station.notes.texts == (1...10).map(String.init))
        try station.run { $0.messages.count >= 45 }
        #expect(station.notes.texts == (1...45).map(String.init))
        station.client.disconnect()
    }

    /// A broker that has sent 66,000 messages and taken no acknowledgement, and a station that has read as many as it will.
    private func overwhelmed(keepAliveSeconds: UInt8) throws -> (ScriptedBroker, Station) {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        try station.client.connect()
        broker.accept()
        try station.run(writing: false) { _ in broker.receive().first == 0x10 }
        broker.send(ScriptedBroker.acceptance(keepAliveSeconds: keepAliveSeconds))
        let thousand = (1...1000).flatMap { _ in ScriptedBroker.publish([0x74], id: 7) }
        for sent in stride(from: 1000, through: 66_000, by: 1000) {
            broker.send(thousand)
            try station.run(writing: false, limit: 1000) { $0.messages.count >= min(sent, 65_535) }
        }
        #expect(try station.client.read(limit: 1000) == .blocked)
        #expect(station.notes.messages.count == 65_535)
        return (broker, station)
    }

    @Test("a broker that does not take acknowledgements is not read from, until it does")
    func untakenAcknowledgements() throws {
        let (broker, station) = try overwhelmed(keepAliveSeconds: 60)
        try station.run { $0.messages.count == 66_000 }
        #expect(!station.client.wantsWrite)
        #expect(broker.receive().count == 66_000 * 4)
    }

    @Test("one that takes none for longer than the keep-alive is given up")
    func neverTakenAcknowledgements() throws {
        let (broker, station) = try overwhelmed(keepAliveSeconds: 2)
        let error = #expect(throws: MQTTError.self) { try station.run(writing: false, for: .seconds(20)) }
        #expect(error?.operation == .keepAlive)
        #expect(station.notes.messages.count == 65_535)
        #expect(broker.receive().isEmpty)
    }

    @Test("read stops at its limit, and says that there may be more")
    func readLimit() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let topic = unique("ack")
        let station = try Station(broker.options(), topic)
        try station.connect()
        station.client.disconnect()
        try broker.publish(topic, count: 100)
        try station.client.connect()
        try station.run(writing: false, limit: 7) { $0.connects.count == 2 }
        #expect(station.notes.messages.count <= 7)
        var counts: [Int] = []
        let deadline = ContinuousClock.now + .seconds(20)
        while station.notes.messages.count < 100, ContinuousClock.now < deadline {
            let before = station.notes.messages.count
            let outcome = try station.client.read(limit: 7)
            let count = station.notes.messages.count - before
            #expect(count <= 7)
            #expect((outcome == .limit) == (count == 7))
            counts.append(count)
        }
        #expect(counts.contains(7))
        #expect(try station.client.read(limit: 7) == .drained)
    }
}
