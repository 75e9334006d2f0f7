import Foundation
import LibPQ
import Synchronization

/// A private PostgreSQL and MQTT broker, started by `deploy/sandbox` and stopped with the value.
public final class Sandbox: Sendable {
    public enum Server: String, Sendable {
        case postgres, mosquitto
    }

    /// For tests that leave the servers running; it is stopped when the process ends.
    public static let shared: Sandbox = {
        do {
            let sandbox = try Sandbox()
            atexit {
                Sandbox.shared.down()
                Sandbox.shared.folder.remove()
            }
            return sandbox
        } catch {
            fatalError("cannot start the sandbox: \(error)")
        }
    }()

    private let folder: TemporaryFolder
    private let databases = Atomic(0)
    private static let script = Project.root + "/deploy/sandbox"

    /// - Parameter mosquittoSettings: lines that follow the recommended settings.
    public init(mosquittoSettings: String? = nil) throws {
        folder = try TemporaryFolder("windrow-sandbox")
        var arguments = ["up", folder.path]
        if let mosquittoSettings {
            arguments += ["--mosquitto-conf", try folder.write(mosquittoSettings, to: "extra.conf")]
        }
        try Command.require(Self.script, arguments)
    }

    deinit {
        down()
    }

    /// What `DIR/env` says just now.
    public var environment: [String: String] {
        let text = (try? String(contentsOfFile: folder.path + "/env", encoding: .utf8)) ?? ""
        let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
        return Dictionary(pairs) { $1 }
    }

    public var mqttPort: UInt16 { UInt16(environment["MQTT_PORT"] ?? "") ?? 0 }
    public var postgresPID: Int32? { environment["POSTGRES_PID"].flatMap { Int32($0) } }
    public var mosquittoPID: Int32? { environment["MOSQUITTO_PID"].flatMap { Int32($0) } }

    /// - Parameter database: the one that the sandbox made, if not named.
    public func conninfo(database: String? = nil, user: String = "windrow") -> String {
        "host=127.0.0.1 port=\(environment["PGPORT"] ?? "") dbname=\(database ?? "demo") user=\(user)"
    }

    /// Makes an empty database of its own for a test, and answers its connection string.
    public func makeDatabase() throws -> String {
        let name = "test_\(getpid())_\(databases.add(1, ordering: .relaxed).newValue)"
        let connection = try Connection(conninfo(), applicationName: "windrow tests")
        try connection.execute("CREATE DATABASE \(quoteIdentifier(name))")
        return conninfo(database: name)
    }

    /// Starts a server again, at the address it had.
    public func start(_ server: Server) throws {
        try Command.require(Self.script, ["start", folder.path, server.rawValue])
    }

    /// - Parameter kill: SIGKILL, as a crash would.
    public func stop(_ server: Server, kill: Bool = false) throws {
        try Command.require(Self.script, ["stop", folder.path, server.rawValue] + (kill ? ["--kill"] : []))
    }

    private func down() {
        // Nobody is left to tell; the folder goes with the servers' data.
        _ = try? Command.run(Self.script, ["down", folder.path])
    }
}
