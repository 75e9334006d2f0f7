import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

/// Two daemons with one database and one broker, each with a journal and a client id of its own.
struct Twins {
    let first: DaemonProcess
    let second: DaemonProcess
    let database: String
    let publisher: Publisher
    let mqttPort: UInt16
    /// The first level of this test's topics.
    let root: String

    var daemons: [DaemonProcess] { [first, second] }
    func clientID(_ place: Int) -> String { "\(root)-\(place)" }

    /// - Parameters:
    ///   - subscriptions: of the daemon with the number, given the topics' first level; a line each, indented by ten spaces.
    ///   - domain: further keys of the domain, indented by four spaces.
    ///   - clientIDs: what follows the root in each daemon's client id.
    init(
        sandbox: Sandbox = .shared, domain: String = "", clientIDs: [String] = ["-0", "-1"],
        subscriptions: (_ place: Int, _ root: String) -> String
    ) throws {
        let root = "t\(UUID().uuidString.prefix(8).lowercased())"
        self.root = root
        let database = try sandbox.makeDatabase()
        self.database = database
        publisher = Publisher(sandbox)
        mqttPort = sandbox.mqttPort
        func daemon(_ place: Int) throws -> DaemonProcess {
            try DaemonProcess(
                domains: """
                      demo:
                        postgres: \(database)
                        flush: {interval: 100ms}
                        keys_file: demo.keys
                    \(domain)
                        mqtt:
                          - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                            client_id: \(root)\(clientIDs[place])
                            subscriptions:
                    \(subscriptions(place, root))
                    """)
        }
        first = try daemon(0)
        second = try daemon(1)
    }

    /// One topic template that both share, in the mode.
    static func shared(_ root: String, overwrite: String = "insert") -> String {
        """
                  - topic: $share/\(root)/\(root)/{node}/{tag}
                    overwrite: \(overwrite)
        """
    }

    func startAndWait() throws {
        for daemon in daemons { try daemon.start() }
        for daemon in daemons { try daemon.waitUntilReady() }
    }

    /// Publishes the points of these seconds, whose values they are, on one topic.
    func publish(_ seconds: Range<Int>) throws {
        try BacklogPublisher(port: mqttPort).publish(seconds.count) { place in
            let second = seconds.lowerBound + place
            return ("\(root)/1/t", #"{"v": \#(second), "ts": "\#(stamp(second))"}"#)
        }
    }

    /// By `node/tag`, times in microseconds.
    func stored() throws -> [String: [Int64: Double]] {
        let connection = try Connection(database, applicationName: "windrow tests")
        let rows = try connection.execute("SELECT node_id, tag, ts, v FROM windrow.timeseries")
        var points: [String: [Int64: Double]] = [:]
        for row in 0..<rows.count {
            points["\(try rows.int64(row, 0))/\(try rows.text(row, 1))", default: [:]][try rows.timestamp(row, 2)] =
                try rows.double(row, 3)
        }
        return points
    }

    func count() throws -> Int {
        let connection = try Connection(database, applicationName: "windrow tests")
        return Int(try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0))
    }

    /// The daemons' sessions at the database that tell the others which groups they are in.
    func telling() throws -> Set<Int32> {
        let connection = try Connection(database, applicationName: "windrow tests")
        let rows = try connection.execute(
            """
            SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND a.datname = current_database()
            AND l.classid::bigint << 32 | l.objid::bigint = hashtextextended($1, 0)
            """, [.text("windrow group mqtt://127.0.0.1:\(mqttPort) $share/\(root)/\(root)/+/+")])
        return Set(try (0..<rows.count).map { try rows.int32($0, 0) })
    }

    func waitUntilTold(_ count: Int = 2) throws {
        try waitUntil("\(count) daemons tell of their groups") { try telling().count == count }
    }

    /// Fails unless each daemon has accounted for every point that it was given.
    func checkAccounting() throws {
        for daemon in daemons {
            let metrics = try daemon.metrics()
            func sum(_ names: [String]) -> Double {
                names.reduce(0) { $0 + (metrics[#"windrow_points_\#($1){domain="demo"}"#] ?? .nan) }
            }
            let came = sum(["received_total", "replayed_total"])
            let went = sum([
                "inserted_total", "updated_total", "kept_total", "superseded_total", "rejected_total", "pending",
            ])
            guard came == went else { throw FixtureError("\(came) points came in, \(went) are accounted for") }
        }
    }

    func received(_ daemon: DaemonProcess) throws -> Int {
        Int(try daemon.metric("windrow_points_received_total") ?? 0)
    }
}
