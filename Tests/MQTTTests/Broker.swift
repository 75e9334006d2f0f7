import Foundation
import MQTT

/// A mosquitto broker on a free loopback port. `stop()` it.
final class Broker {
    let host: String
    let port: UInt16
    /// What mosquitto_pub needs beyond the address.
    var credentials: [String] = []
    private let folder: Folder?
    private var process: Command.Running?

    /// The one that MQTT_HOST and MQTT_PORT name, as `deploy/sandbox up` does, else one of its own.
    init() throws {
        let environment = ProcessInfo.processInfo.environment
        if let host = environment["MQTT_HOST"], let port = environment["MQTT_PORT"].flatMap(UInt16.init) {
            (self.host, self.port, folder) = (host, port, nil)
        } else {
            (host, port, folder) = ("127.0.0.1", freePort(), try Folder())
            try start()
        }
    }

    /// - Parameter settings: lines for mosquitto.conf; of the listener, if that is what they are about.
    init(_ settings: [String], host: String = "127.0.0.1", anonymous: Bool = true) throws {
        (self.host, port, folder) = (host, freePort(), try Folder())
        try start(settings, anonymous: anonymous)
    }

    func start(_ settings: [String] = [], anonymous: Bool = true) throws {
        let lines =
            ["listener \(port) \(host)", "allow_anonymous \(anonymous)", "max_queued_messages 0", "persistence false"]
        let configuration = try folder!.write("mosquitto.conf", (lines + settings).joined(separator: "\n") + "\n")
        let log = folder!.path + "/log"
        try? FileManager.default.removeItem(atPath: log)
        process = try Command("mosquitto", "-c", configuration).start(log: log)
        let deadline = ContinuousClock.now + .seconds(10)
        // To try the port would do harm: a TLS listener of mosquitto 2.0.11 may take it out on the next connection.
        while !content(log).contains(" running\n") {
            guard process!.status() == nil, ContinuousClock.now < deadline else {
                throw Command.Failed(description: content(log))
            }
            usleep(2000)
        }
    }

    func stop() {
        process?.end(SIGTERM)
        process = nil
        folder?.remove()
    }

    /// As a crash would. The port stays this broker's.
    func kill() {
        process?.end(SIGKILL)
        process = nil
    }

    func options(_ clientID: String = unique("client")) -> Client.Options {
        Client.Options(clientID: clientID, host: host, port: port, sessionExpirySeconds: 300)
    }

    /// Publishes one message with mosquitto_pub, at QoS 1 unless the arguments say otherwise.
    func publish(_ topic: String, _ arguments: String...) throws {
        try publish(topic, arguments)
    }

    func publish(_ topic: String, _ arguments: [String]) throws {
        var command = Command("mosquitto_pub", "-V", "5", "-h", host, "-p", "\(port)", "-t", topic, "-q", "1")
        command.arguments += credentials + arguments
        try command.run()
    }

    /// Publishes the numbers from 1 on, one a message, at QoS 1.
    func publish(_ topic: String, count: Int) throws {
        let folder = try Folder()
        defer { folder.remove() }
        let lines = try folder.write("lines", (1...count).map { "\($0)\n" }.joined())
        var command = Command("sh", "-c", #"lines=$1; shift; exec "$@" <"$lines""#, "sh", lines)
        command.arguments += ["mosquitto_pub", "-V", "5", "-h", host, "-p", "\(port)", "-t", topic, "-q", "1", "-l"]
        command.arguments += credentials
        try command.run()
    }
}

/// A name that no other test uses, nor an earlier run at the same broker.
func unique(_ name: String) -> String { "\(name)-\(UUID().uuidString)" }
