import Foundation
import LibPQ
import Synchronization

/// A private PostgreSQL and MQTT broker, or a standby of another sandbox's PostgreSQL, started by `deploy/sandbox` and
/// stopped with the value.
public final class Sandbox: Sendable {
    public enum Server: String, Sendable {
        case postgres, mosquitto
    }

    /// For tests that leave the servers running; it is stopped when the process ends.
    public static let shared: Sandbox = {
        do {
            let sandbox = try Sandbox()
            sandbox.stopAtExit()
            return sandbox
        } catch {
            fatalError("cannot start the sandbox: \(error)")
        }
    }()

    private let folder: TemporaryFolder
    /// Of all sandboxes: a standby has its primary's.
    private static let databases = Atomic(0)
    private static let stoppedAtExit = Mutex<[Sandbox]>([])
    private static let script = Project.root + "/deploy/sandbox"
    private static let givenPorts = Mutex<Set<UInt16>>([])

    /// - Parameter mosquittoSettings: lines that follow the recommended settings.
    public init(mosquittoSettings: String? = nil) throws {
        folder = try TemporaryFolder("windrow-sandbox")
        var arguments = ["up", folder.path]
        if let mosquittoSettings {
            arguments += ["--mosquitto-conf", try folder.write(mosquittoSettings, to: "extra.conf")]
        }
        try Command.require(Self.script, arguments)
    }

    /// A hot standby that streams from another sandbox's running PostgreSQL until it is promoted. There is no broker.
    public init(standbyOf primary: Sandbox) throws {
        folder = try TemporaryFolder("windrow-sandbox")
        try becomeStandby(of: primary)
    }

    deinit {
        down()
    }

    /// Stops the servers when the process ends: for a sandbox that lives as long, whose end runs no deinit.
    public func stopAtExit() {
        let isFirst = Self.stoppedAtExit.withLock { all in
            all.append(self)
            return all.count == 1
        }
        if isFirst {
            atexit {
                for sandbox in Sandbox.stoppedAtExit.withLock({ $0 }) {
                    sandbox.down()
                    sandbox.folder.remove()
                }
            }
        }
    }

    /// The folder of the servers' data and logs.
    public var path: String { folder.path }

    /// Leaves the folder where it is when the value goes; the servers are stopped all the same.
    public func keep() { folder.keep() }

    /// What `DIR/env` says just now.
    public var environment: [String: String] {
        let text = (try? String(contentsOfFile: folder.path + "/env", encoding: .utf8)) ?? ""
        let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
        return Dictionary(pairs) { $1 }
    }

    /// 0 where there is no broker.
    public var mqttPort: UInt16 { UInt16(environment["MQTT_PORT"] ?? "") ?? 0 }
    public var postgresPort: UInt16 { UInt16(environment["PGPORT"] ?? "") ?? 0 }
    public var postgresPID: Int32? { environment["POSTGRES_PID"].flatMap { Int32($0) } }
    public var mosquittoPID: Int32? { environment["MOSQUITTO_PID"].flatMap { Int32($0) } }

    /// - Parameters:
    ///   - database: the one that the sandbox made, if not named.
    ///   - standby: the second host of the connection string, for when the first is away or takes no writes.
    public func conninfo(database: String? = nil, user: String = "windrow", or standby: Sandbox? = nil) -> String {
        let ports = [self, standby].compactMap { $0 }.map { $0.environment["PGPORT"] ?? "" }
        let hosts = ports.map { _ in "127.0.0.1" }
        return "host=\(hosts.joined(separator: ",")) port=\(ports.joined(separator: ",")) "
            + "dbname=\(database ?? "demo") user=\(user)"
    }

    /// Makes an empty database of its own for a test, and answers its connection string.
    /// - Parameter standby: the second host of the connection string.
    public func makeDatabase(or standby: Sandbox? = nil) throws -> String {
        let name = "test_\(getpid())_\(Self.databases.add(1, ordering: .relaxed).newValue)"
        let connection = try Connection(conninfo(), applicationName: "windrow tests")
        try connection.execute("CREATE DATABASE \(quoteIdentifier(name))")
        return conninfo(database: name, or: standby)
    }

    /// A loopback port that nobody listens on; this process is given each only once.
    public static func freePort() throws -> UInt16 {
        while true {
            let text = try Command.require(script, ["free-port"]).trimmingCharacters(in: .whitespacesAndNewlines)
            guard let port = UInt16(text) else { throw FixtureError("\(text) is no port") }
            if givenPorts.withLock({ $0.insert(port).inserted }) { return port }
        }
    }

    /// Starts a server again, at the address it had.
    public func start(_ server: Server) throws {
        try Command.require(Self.script, ["start", folder.path, server.rawValue])
    }

    /// - Parameter kill: SIGKILL, as a crash would.
    public func stop(_ server: Server, kill: Bool = false) throws {
        try Command.require(Self.script, ["stop", folder.path, server.rawValue] + (kill ? ["--kill"] : []))
    }

    /// Makes PostgreSQL, which has to be stopped, a standby of another sandbox's running one, at the port that it had.
    /// Its data gives way to a copy. It streams when this returns.
    public func becomeStandby(of primary: Sandbox) throws {
        try Command.require(Self.script, ["up", folder.path, "--standby-of", primary.folder.path])
    }

    /// Ends the standby. PostgreSQL takes writes when this returns.
    public func promote() throws {
        try Command.require(Self.script, ["promote", folder.path])
    }

    /// Has the standby receive nothing more from its primary, which does not notice: what is committed from now on is lost with it.
    public func holdBack() throws {
        let connection = try Connection(
            conninfo(user: "postgres") + " target_session_attrs=any", applicationName: "windrow tests")
        try connection.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'")
        try connection.execute("SELECT pg_reload_conf()")
        try waitUntil("the standby receives nothing more") {
            try connection.execute("SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'").count == 0
        }
    }

    /// All of PostgreSQL's processes: they work in its data folder.
    public func postgresProcesses() -> [Int32] {
        guard let data = environment["POSTGRES_DATA"] else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == data
        }
    }

    /// SIGSTOP of all of PostgreSQL's processes: it hangs, and its port accepts connections all the same. `stop(.postgres, kill: true)`
    /// ends it.
    public func freezePostgres() {
        var stopped: Set<Int32> = []
        // The first to be found is not the only one to make others, so until there are no new ones.
        while case let fresh = Set(postgresProcesses()).subtracting(stopped), !fresh.isEmpty {
            for pid in fresh { kill(pid, SIGSTOP) }
            stopped.formUnion(fresh)
        }
    }

    /// From now on a commit is answered only when the standby has it on disk, too. The standby that is made of this
    /// PostgreSQL does not inherit that.
    /// - Parameter name: of a standby that is not there, to make every commit wait; empty, and none waits.
    public func awaitStandbyInCommits(named name: String = "standby") throws {
        let connection = try Connection(conninfo(user: "postgres"), applicationName: "windrow tests")
        try connection.execute(
            "ALTER SYSTEM SET synchronous_standby_names = \(name.isEmpty ? "''" : quoteIdentifier(name))")
        try connection.execute("SELECT pg_reload_conf()")
        // The process that sends to the standby heeds it once it shows.
        try waitUntil("the standby's commits count, or no longer do") {
            try connection.execute(
                "SELECT FROM pg_stat_replication WHERE (application_name = $1) = (sync_priority > 0)", [.text(name)]
            ).count > 0
        }
    }

    private func down() {
        // Nobody is left to tell; the folder goes with the servers' data.
        _ = try? Command.run(Self.script, ["down", folder.path])
    }
}
