import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

/// Daemons at one broker that write into one database, each the messages of series of its own: a backlog that waits while they are down.
final class SeveralCase {
    private let sandbox: Sandbox
    private let workload: Workload
    private let database: String
    private let root: String
    private let daemons: [DaemonProcess]

    /// - Parameter lanes: of each daemon.
    init(_ sandbox: Sandbox, _ workload: Workload, daemons count: Int, lanes: Int) throws {
        self.sandbox = sandbox
        self.workload = workload
        let database = try sandbox.makeDatabase()
        self.database = database
        let root = "bench\(UInt32.random(in: 0 ... .max))"
        self.root = root
        daemons = try (0..<count).map { number in
            try DaemonProcess(
                domains: """
                      demo:
                        postgres: \(database)
                        lanes: \(lanes)
                        mqtt:
                          - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                            client_id: \(root)-\(number)
                            subscriptions:
                              - topic: \(root)/\(number)/{node}/{tag}
                    """)
        }
        // Makes the sessions.
        for daemon in daemons {
            try daemon.startAndWait()
            try daemon.stop()
        }
        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        try publisher.publish(workload.messages) { message in
            let (topic, payload) = workload.message(message, adding: 0)
            return ("\(root)/\(workload.seriesNumber(ofMessage: message) % count)\(topic.dropFirst(5))", payload)
        }
    }

    func drop() throws { try sandbox.drop(database) }

    /// Starts the daemons at the same moment, and stops them when all is committed.
    /// - Returns: points a second that they committed together, between the first and the last tenth; CPU seconds of all of them per
    ///   million points.
    func run() throws -> (rate: Double, cpuPerMillion: Double) {
        try sandbox.checkpoint()
        let expected = Double(workload.points)
        for daemon in daemons { try daemon.start() }
        var marks: [(at: ContinuousClock.Instant, points: Double)] = []
        try waitUntil("the backlog is stored", timeout: .seconds(600), every: .milliseconds(20)) {
            let stored = try daemons.reduce(0.0) { sum, daemon in
                try sum
                    + daemon.metrics().filter { $0.key.hasPrefix("windrow_points_inserted_total{") }.values.reduce(0, +)
            }
            if marks.count < 2, stored >= (marks.isEmpty ? 0.1 : 0.9) * expected { marks.append((.now, stored)) }
            return stored >= expected ? true : nil
        }
        let cpu = try daemons.reduce(Duration.zero) { try $0 + $1.usage().cpu }
        for daemon in daemons { try daemon.stop() }
        let stored = try Connection(database, applicationName: "windrow-bench").execute(
            "SELECT count(*) FROM windrow.point"
        ).int64(0, 0)
        guard Int(stored) == workload.points, marks.count == 2, marks[1].points > marks[0].points else {
            throw FixtureError(
                "\(workload.points) points were published, \(stored) rows are stored; or too few to be measured")
        }
        return (
            (marks[1].points - marks[0].points) / ((marks[1].at - marks[0].at) / .seconds(1)),
            cpu / .seconds(1) / expected * 1_000_000
        )
    }
}
