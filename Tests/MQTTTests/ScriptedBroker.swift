import Glibc

/// The broker's end of a TCP connection, byte by byte: for what a real broker does not do, and to see what a client
/// sends.
final class ScriptedBroker {
    let port: UInt16
    private let listening: Int32
    private var connection: Int32 = -1

    init() {
        listening = listener()
        port = MQTTTests.port(of: listening)
    }

    deinit {
        close(connection)
        close(listening)
    }

    /// Takes the connection that a client has started.
    func accept() {
        close(connection)
        connection = Glibc.accept(listening, nil, nil)
    }

    /// What has come until `milliseconds` passed without more.
    func receive(quietFor milliseconds: Int32 = 100) -> [UInt8] {
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        var entry = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, milliseconds) > 0 {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            received += buffer[..<count]
        }
        return received
    }

    /// What one recv(2) gives.
    func receiveOnce(_ size: Int = 65_536) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(recv(connection, buffer.baseAddress!, buffer.count, 0), 0)
        }
    }

    func send(_ bytes: [UInt8]) {
        precondition(Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    func hangUp() {
        close(connection)
        connection = -1
    }

    /// CONNACK that accepts, without properties. MQTT 5, section 3.2.
    static let acceptance: [UInt8] = [0x20, 3, 0, 0, 0]

    /// CONNACK that accepts, and asks for a keep-alive that is shorter than a client may ask for. MQTT 5, section 3.2.2.3.14.
    static func acceptance(keepAliveSeconds: UInt8) -> [UInt8] { [0x20, 6, 0, 0, 3, 0x13, 0, keepAliveSeconds] }

    /// PUBLISH without properties; short enough for a length of one byte. MQTT 5, section 3.3.
    static func publish(_ topic: [UInt8], id: UInt8, qos: UInt8 = 1, payload: [UInt8] = [0x31]) -> [UInt8] {
        let body = [0, UInt8(topic.count)] + topic + (qos == 0 ? [] : [0, id]) + [0] + payload
        return [0x30 | qos << 1, UInt8(body.count)] + body
    }

    static func puback(_ id: UInt8) -> [UInt8] { [0x40, 2, 0, id] }
}
