import Foundation

/// Publishes with `mosquitto_pub`, as a gateway would.
public struct Publisher: Sendable {
    let port: UInt16

    public init(_ sandbox: Sandbox) {
        port = sandbox.mqttPort
    }

    /// One message. It has reached the broker when this returns.
    public func publish(
        _ payload: Data, on topic: String, qos: Int = 1, retain: Bool = false, userProperties: [(String, String)] = []
    ) throws {
        var arguments = [
            "-h", "127.0.0.1", "-p", "\(port)", "-V", "5", "-q", "\(qos)", "-t", topic, payload.isEmpty ? "-n" : "-s",
        ]
        if retain { arguments.append("-r") }
        for (name, value) in userProperties { arguments += ["-D", "publish", "user-property", name, value] }
        try Command.require("mosquitto_pub", arguments, input: payload)
    }

    public func publish(
        _ payload: String, on topic: String, qos: Int = 1, retain: Bool = false, userProperties: [(String, String)] = []
    ) throws {
        try publish(Data(payload.utf8), on: topic, qos: qos, retain: retain, userProperties: userProperties)
    }

    /// Many messages on one topic, one a line, over one connection and in their order.
    public func publish(lines: [String], on topic: String) throws {
        try Command.require(
            "mosquitto_pub",
            ["-h", "127.0.0.1", "-p", "\(port)", "-V", "5", "-q", "1", "-t", topic, "-l"],
            input: Data((lines.joined(separator: "\n") + "\n").utf8))
    }
}
