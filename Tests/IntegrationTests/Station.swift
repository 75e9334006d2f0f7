import Foundation
import GRDB
import LibPQ
import Windrow
import WindrowTestSupport

/// A daemon with one domain on the shared servers.
struct Station {
    let daemon: DaemonProcess
    let database: String
    let publisher: Publisher
    /// The first level of this test's topics: tests share the broker.
    let root: String

    /// - Parameters:
    ///   - standby: the second host of the connection string.
    ///   - broker: has the broker, where the sandbox has none.
    ///   - http: further keys of `http`, indented by two spaces.
    ///   - domain: further keys of the domain, indented by four spaces.
    ///   - subscription: further keys of the subscription, indented by ten spaces.
    init(
        sandbox: Sandbox = .shared, standby: Sandbox? = nil, broker: Sandbox? = nil, http: String = "",
        domain: String = "",
        subscription: String = "", more: String = "", journal: String? = nil
    ) throws {
        root = "t\(UUID().uuidString.prefix(8).lowercased())"
        database = try sandbox.makeDatabase(or: standby)
        publisher = Publisher(broker ?? sandbox)
        daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: \(database)
                    flush: {interval: 100ms}
                    keys_file: demo.keys
                \(domain)
                    mqtt:
                      - broker: mqtt://127.0.0.1:\((broker ?? sandbox).mqttPort)
                        client_id: \(root)
                        subscriptions:
                          - topic: \(root)/{node}/{tag}
                \(subscription)
                """, more: more, http: http, journal: journal)
    }

    /// The path of the call, with a query.
    static func call(_ query: String = "") -> String {
        "/demo/api/v1/timeseries" + (query.isEmpty ? "" : "?\(query)")
    }

    /// Connections of HTTP clients that the daemon has open.
    func openSockets() throws -> Int {
        try Command.require("ss", ["-Htn", "state", "established", "sport", "=", ":\(daemon.httpPort)"])
            .split(separator: "\n").count
    }

    /// Bytes that HTTP clients have sent and the daemon has not read.
    func unreadBytes() throws -> Int {
        let port = daemon.httpPort
        let sockets = try Command.require(
            "ss", ["-Htn", "state", "established", "(", "sport", "=", ":\(port)", "or", "dport", "=", ":\(port)", ")"])
        // Received and not read on one side, sent and not received on the other.
        return sockets.split(separator: "\n").reduce(0) { sum, line in
            sum + line.split(separator: " ").prefix(2).reduce(0) { $0 + (Int($1) ?? 0) }
        }
    }

    /// A connection of an HTTP client with the domain's key.
    func client() throws -> HTTPConnection {
        try HTTPConnection(port: daemon.httpPort)
    }

    /// The stored points of a series, ascending, as `ts v` with the time in microseconds.
    func stored(node: Int64 = 1, tag: String = "t") throws -> [Int64: Double] {
        let connection = try Connection(database, applicationName: "windrow tests")
        // Nothing is stored before the schema is there.
        guard try Schema("windrow").installedVersion(connection) > 0 else { return [:] }
        let rows = try connection.execute(
            "SELECT ts, v FROM windrow.timeseries WHERE node_id = $1 AND tag = $2", [.int8(node), .text(tag)])
        var points: [Int64: Double] = [:]
        for row in 0..<rows.count { points[try rows.timestamp(row, 0)] = try rows.double(row, 1) }
        return points
    }

    /// The dead letters, oldest first.
    /// - Parameter folder: the domain's, if the journal is not in the daemon's folder.
    func deadLetters(
        in folder: String? = nil
    ) throws -> [(topic: String, reason: String, detail: String, payload: Data)] {
        try DatabaseQueue(path: (folder ?? daemon.path + "/journal/demo") + "/journal.sqlite").read { db in
            try Row.fetchAll(db, sql: "SELECT topic, reason, detail, payload FROM dead_letter ORDER BY id")
                .map { ($0[0], $0[1], $0[2], $0[3]) }
        }
    }

    /// What an SQL expression says about each dead letter.
    func deadLetterColumn(_ expression: String) throws -> [String] {
        try DatabaseQueue(path: daemon.path + "/journal/demo/journal.sqlite").read { db in
            try String.fetchAll(db, sql: "SELECT \(expression) FROM dead_letter ORDER BY id")
        }
    }

    /// Batches that the journal holds just now.
    func journaledBatches() throws -> Int {
        try DatabaseQueue(path: daemon.path + "/journal/demo/journal.sqlite").read { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM batch") ?? 0
        }
    }

    /// Fails unless every point that came in has been counted for what became of it.
    func checkAccounting() throws {
        // All from one moment.
        let metrics = try daemon.metrics()
        func count(_ name: String) throws -> Int {
            guard let value = metrics[#"windrow_points_\#(name){domain="demo"}"#] else {
                throw FixtureError("no metric \(name)")
            }
            return Int(value)
        }
        let came = try count("received_total") + count("replayed_total")
        let went = try [
            "inserted_total", "updated_total", "kept_total", "superseded_total", "rejected_total", "pending",
        ]
        .reduce(0) { try $0 + count($1) }
        guard came == went else { throw FixtureError("\(came) points came in, \(went) are accounted for") }
    }

    func count() throws -> Int {
        let connection = try Connection(database, applicationName: "windrow tests")
        return Int(try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0))
    }

    func waitUntilStored(_ expected: [Int64: Double], node: Int64 = 1, tag: String = "t") throws {
        do {
            try waitUntil("\(expected.count) points are stored", timeout: .seconds(20)) {
                try stored(node: node, tag: tag) == expected
            }
        } catch {
            throw FixtureError(
                "\(error); stored: \(try stored(node: node, tag: tag)); log:\n\(daemon.logExcerpt)")
        }
    }
}

/// 2023-01-01T12:00:00Z plus seconds, in microseconds.
func time(_ seconds: Int64) -> Int64 { 1_672_574_400_000_000 + seconds * 1_000_000 }
