import Glibc

/// Publishes many QoS 1 messages fast, over one connection: MQTT 5 packets written straight to a socket.
///
/// It keeps no more messages unacknowledged than brokers allow by themselves, and returns when all are acknowledged.
public struct BacklogPublisher {
    private let descriptor: Int32
    /// Below what `config/mosquitto.conf` announces as the Receive Maximum.
    private static let window = 500

    public init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let descriptor = descriptor
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw FixtureError("cannot connect to the broker: \(String(cString: strerror(errno)))")
        }
        // CONNECT: protocol level 5, clean start, keep-alive off, no properties, client id chosen by the broker.
        try send([0x10, 13, 0, 4] + Array("MQTT".utf8) + [5, 2, 0, 0, 0, 0, 0])
        let header = try receive(2)
        guard header[0] == 0x20, try receive(Int(header[1]))[1] == 0 else {
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
                try send(packets)
                packets.removeAll(keepingCapacity: true)
                try acknowledge(unacknowledged)
                unacknowledged = 0
            }
        }
        try send(packets)
        try acknowledge(unacknowledged)
    }

    public func close() {
        Glibc.close(descriptor)
    }

    private func acknowledge(_ count: Int) throws {
        for _ in 0..<count {
            let header = try receive(2)
            let body = try receive(Int(header[1]))
            // A reason of 0x10 says that nobody subscribes to the topic.
            guard header[0] == 0x40, body.count < 3 || body[2] < 0x80 else {
                throw FixtureError("the broker refuses a message: \(header) \(body)")
            }
        }
    }

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw FixtureError("the broker closed the connection") }
            sent += count
        }
    }

    private func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var received = 0
        while received < count {
            let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + received, count - received, 0) }
            guard got > 0 else { throw FixtureError("the broker closed the connection") }
            received += got
        }
        return bytes
    }
}
