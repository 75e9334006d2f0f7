import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

/// What the daemon did with a backlog.
struct Drained {
    /// Points a second that were committed, between the first and the last tenth of them: without start and last flush.
    var rate: Double
    /// From the start of the process to the first committed points.
    var begin: Duration
    /// CPU seconds of the daemon per million points, its start included.
    var cpuPerMillion: Double
    /// Bytes resident at most.
    var peakMemory: Int
    /// Of one flush, on the average.
    var flush: Duration
}

/// Backlogs that wait at the broker while the daemon is down, and that it drains into a database of their own when it starts.
final class Drain {
    let daemon: DaemonProcess
    let database: String
    /// What is published and expected from now on.
    var workload: Workload
    private let sandbox: Sandbox
    /// Where the topics begin: sessions of other cases get nothing of this one's.
    private let root: String

    init(_ sandbox: Sandbox, _ workload: Workload, lanes: Int = 1, more: String = "") throws {
        self.sandbox = sandbox
        self.workload = workload
        database = try sandbox.makeDatabase()
        root = "bench\(UInt32.random(in: 0 ... .max))"
        daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: \(database)
                    lanes: \(lanes)
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                        client_id: \(root)
                        subscriptions:
                          - topic: \(root)/{node}/{tag}
                """, more: more)
        // Makes the session.
        try daemon.startAndWait()
        try daemon.stop()
    }

    func drop() throws { try sandbox.drop(database) }

    /// Puts the workload's series into the database, each with an older point.
    func makeSeries() throws {
        try Connection(database, applicationName: "windrow-bench").script(
            """
            INSERT INTO windrow.node (id) SELECT generate_series(1, \(workload.series));
            INSERT INTO windrow.series (node_id, tag) SELECT id, 't' FROM windrow.node ORDER BY id;
            INSERT INTO windrow.point (series_id, ts, v) SELECT id, '2022-01-01T00:00:00Z', 1 FROM windrow.series;
            ANALYZE;
            """)
    }

    /// Publishes the messages, or the first ones: they wait at the broker unless the daemon runs.
    func publish(first count: Int? = nil, overwrite: Overwrite? = nil, adding value: Int = 0) throws {
        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        try publisher.publish(count ?? workload.messages) { [workload, root] number in
            let (topic, payload) = workload.message(number, overwrite: overwrite, adding: value)
            return ("\(root)\(topic.dropFirst(5))", payload)
        }
    }

    /// Starts the daemon, and stops it when all is committed.
    /// - Parameter isAlone: whether the table holds nothing but what was published, so that it can be compared.
    func run(adding value: Int = 0, isAlone: Bool = true) throws -> Drained {
        try sandbox.checkpoint()
        let expected = workload.points
        let start = ContinuousClock.now
        try daemon.start()
        var marks: [(share: Double, at: Duration, points: Int)] = []
        var begin: Duration?
        try waitUntil("the backlog is stored", timeout: .seconds(600), every: .milliseconds(20)) {
            let metrics = try daemon.metrics()
            let stored = Int(
                ["windrow_points_inserted_total", "windrow_points_updated_total", "windrow_points_kept_total"]
                    .reduce(0) { sum, name in
                        sum + (metrics.first { $0.key.hasPrefix(name + "{") }?.value ?? 0)
                    })
            let now = ContinuousClock.now - start
            if stored > 0, begin == nil { begin = now }
            for share in [0.1, 0.9] where Double(stored) >= share * Double(expected) {
                if !marks.contains(where: { $0.share == share }) { marks.append((share, now, stored)) }
            }
            return stored >= expected ? true : nil
        }
        let usage = try daemon.usage()
        let flushes = try daemon.metric("windrow_flush_duration_seconds_count") ?? 0
        let flushing = try daemon.metric("windrow_flush_duration_seconds_sum") ?? 0
        try daemon.stop()
        if isAlone { try check(adding: value) }
        guard marks.count == 2, marks[1].points > marks[0].points, let begin else {
            throw FixtureError("the backlog is too small to be measured")
        }
        return Drained(
            rate: Double(marks[1].points - marks[0].points) / ((marks[1].at - marks[0].at) / .seconds(1)),
            begin: begin, cpuPerMillion: usage.cpu / .seconds(1) / Double(expected) * 1_000_000,
            peakMemory: usage.peakMemory, flush: .seconds(flushing / max(flushes, 1)))
    }

    /// Every point is in the table, with the value that was published last.
    private func check(adding value: Int) throws {
        let connection = try Connection(database, applicationName: "windrow-bench")
        let row = try connection.execute(
            "SELECT count(*), coalesce(sum(v), 0) FROM windrow.point WHERE ts > '2022-01-01T00:00:00Z'")
        var sum = 0.0
        for message in 0..<workload.messages {
            for place in 0..<workload.pointsPerMessage {
                sum += workload.point(place, ofMessage: message, adding: value).value
            }
        }
        let (count, stored) = (try row.int64(0, 0), try row.double(0, 1))
        guard count == workload.points, stored == sum else {
            throw FixtureError(
                "\(workload.points) points were published, \(count) rows are stored: \(stored), not \(sum)")
        }
    }

    /// From now on every message waits for `mosquitto_sub` too, in a session of its own.
    func addMosquittoSub() throws {
        try subscribe(["-E"])
    }

    /// How many messages a second `mosquitto_sub` takes from its backlog and writes to /dev/null.
    func runMosquittoSub() throws -> Double {
        let start = ContinuousClock.now
        try subscribe(["-C", "\(workload.messages)"])
        return Double(workload.messages) / ((ContinuousClock.now - start) / .seconds(1))
    }

    private func subscribe(_ arguments: [String]) throws {
        let command =
            [
                "exec mosquitto_sub -h 127.0.0.1 -p \(sandbox.mqttPort) -V 5 -c -x 86400 -i \(root)-sub -q 1 -t \(root)/+/+"
            ]
            + arguments + [">/dev/null"]
        try Command.require("sh", ["-c", command.joined(separator: " ")])
    }
}
