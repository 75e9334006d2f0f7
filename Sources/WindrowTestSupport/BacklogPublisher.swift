/// Publishes many QoS 1 messages fast, over one connection: MQTT 5 packets written straight to a socket.
///
/// It keeps no more messages unacknowledged than brokers allow by themselves, and returns when all are acknowledged.
public struct BacklogPublisher {
    private let socket: LoopbackSocket
    /// Below what `config/mosquitto.conf` announces as the Receive Maximum.
    private static let window = 500

    public init(port: UInt16) throws {
        socket = try LoopbackSocket(port: port)
        // CONNECT: protocol level 5, clean start, keep-alive off, no properties, client id chosen by the broker.
        try socket.send([0x10, 13, 0, 4] + Array("MQTT".utf8) + [5, 2, 0, 0, 0, 0, 0])
        let header = try socket.receive(2)
        guard header[0] == 0x20, try socket.receive(Int(header[1]))[1] == 0 else {
            throw FixtureError("the broker refuses the connection")
        }
    }

    /// Publishes `count` messages, made one by one.
    public func publish(_ count: Int, _ message: (Int) -> (topic: String, payload: String)) throws {
        var unacknowledged = 0
        var packets: [UInt8] = []
        for number in 0..<count {
            let (topic, payload) = message(number)
            let identifier = UInt16(number % 65_535 + 1)
            let length = 2 + topic.utf8.count + 2 + 1 + payload.utf8.count
            packets.append(0x32)
            var rest = length
            repeat {
                packets.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
                rest >>= 7
            } while rest > 0
            packets += [UInt8(topic.utf8.count >> 8), UInt8(topic.utf8.count & 0xFF)]
            packets += topic.utf8
            packets += [UInt8(identifier >> 8), UInt8(identifier & 0xFF), 0]
            packets += payload.utf8
            unacknowledged += 1
            if unacknowledged == Self.window {
                try socket.send(packets)
                packets.removeAll(keepingCapacity: true)
                try acknowledge(unacknowledged)
                unacknowledged = 0
            }
        }
        try socket.send(packets)
        try acknowledge(unacknowledged)
    }

    private func acknowledge(_ count: Int) throws {
        for _ in 0..<count {
            let header = try socket.receive(2)
            let body = try socket.receive(Int(header[1]))
            // A reason of 0x10 says that nobody subscribes to the topic.
            guard header[0] == 0x40, body.count < 3 || body[2] < 0x80 else {
                throw FixtureError("the broker refuses a message: \(header) \(body)")
            }
        }
    }
}
