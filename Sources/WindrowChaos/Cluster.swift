import Foundation
import LibPQ
import WindrowTestSupport

/// The servers that the daemon needs, and the proxies through which it reaches them.
final class Cluster {
    /// Where a PostgreSQL is, one or two of them. The first has the broker as well.
    private let places: [Sandbox]
    /// Which of them takes writes just now. The other one streams from it, and each commit waits for that.
    private var primaryPlace = 0
    let brokerProxy: Proxy
    private let postgresProxies: [Proxy]

    init(hasStandby: Bool) throws {
        let home = try Sandbox()
        places = hasStandby ? [home, try Sandbox(standbyOf: home)] : [home]
        if hasStandby { try home.awaitStandbyInCommits() }
        brokerProxy = try Proxy(to: home.mqttPort)
        postgresProxies = try places.map { try Proxy(to: $0.postgresPort) }
    }

    deinit {
        for proxy in postgresProxies + [brokerProxy] { proxy.close() }
    }

    /// Runs the broker.
    var home: Sandbox { places[0] }
    var primary: Sandbox { places[primaryPlace] }

    /// The daemon's connection string: all places, through the proxies.
    var conninfo: String {
        let hosts = postgresProxies.map { _ in "127.0.0.1" }.joined(separator: ",")
        let ports = postgresProxies.map { "\($0.port)" }.joined(separator: ",")
        return "host=\(hosts) port=\(ports) dbname=demo user=windrow"
    }

    /// A connection past the proxy, under a name that tells the tool's own sessions from the daemon's.
    func connection(user: String = "windrow") throws -> Connection {
        try Connection(
            primary.conninfo(user: user), applicationName: Self.applicationName, statementTimeout: .seconds(600))
    }

    static let applicationName = "chaos"

    func setPostgres(_ mode: Proxy.Mode) {
        for proxy in postgresProxies { proxy.set(mode) }
    }

    /// SIGKILL. Its port refuses connections from now on: libpq tries the next host only after that, not after a connection
    /// that was accepted and broke.
    func killPrimary() throws {
        postgresProxies[primaryPlace].set(.cut)
        try primary.stop(.postgres, kill: true)
    }

    /// From now on commits wait for no standby, and the standby gets nothing.
    func holdBackStandby() throws {
        try primary.awaitStandbyInCommits(named: "")
        try places[1 - primaryPlace].holdBack()
    }

    /// Makes the standby the primary; the old one has to be gone.
    func promote() throws {
        try places[1 - primaryPlace].promote()
        primaryPlace = 1 - primaryPlace
    }

    /// Makes the old primary, which is gone, a standby of the new one, and has commits wait for it.
    func rebuildStandby() throws {
        try places[1 - primaryPlace].becomeStandby(of: primary)
        postgresProxies[1 - primaryPlace].set(.pass)
        try primary.awaitStandbyInCommits()
    }

    /// All of the primary's processes: they work in its data folder.
    func postgresProcesses() -> [Int32] {
        guard let data = primary.environment["POSTGRES_DATA"] else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == data
        }
    }

    func keepFolders() {
        for place in places { place.keep() }
    }

    /// Where the servers' data and logs are.
    var folders: [String] { places.map(\.path) }
}
