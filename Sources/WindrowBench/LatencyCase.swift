import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

/// The time from the moment at which a message is published, which is its point's timestamp, to the commit of the point, as
/// PostgreSQL tells it.
final class LatencyCase {
    private let sandbox: Sandbox
    private let database: String
    private let daemon: DaemonProcess
    private var round = 0

    private static let series = 1000

    init() throws {
        sandbox = try Sandbox()
        try Connection(sandbox.conninfo(user: "postgres"), applicationName: "windrow-bench")
            .execute("ALTER SYSTEM SET track_commit_timestamp = on")
        try sandbox.stop(.postgres)
        try sandbox.start(.postgres)
        database = try sandbox.makeDatabase()
        daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: \(database)
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                        client_id: latency
                        subscriptions:
                          - topic: nodes/{node}/{tag}
                """)
        try daemon.startAndWait()
    }

    /// - Parameter rate: messages a second.
    func run(rate: Int, seconds: Int) throws -> (p50: Duration, p99: Duration, cpuPerMillion: Double) {
        round += 1
        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        let tag = "r\(round)"
        let before = try daemon.usage()
        let start = ContinuousClock.now
        // So many at once as come in two milliseconds.
        let step = max(rate / 500, 1)
        for first in stride(from: 0, to: rate * seconds, by: step) {
            let due = start + .seconds(1) * first / rate
            let ahead = due - .now
            if ahead > .zero { usleep(UInt32(ahead / .microseconds(1))) }
            if ahead < .seconds(-1) { throw FixtureError("the broker does not take \(rate) messages a second") }
            try publisher.publish(step) { number in
                ("nodes/\((first + number) % Self.series + 1)/\(tag)", #"{"v":1.5,"ts":"\#(Timestamp.now)"}"#)
            }
        }
        let connection = try Connection(database, applicationName: "windrow-bench")
        let expected = rate * seconds
        try waitUntil("all is stored") {
            try daemon.metric("windrow_points_pending") == 0
        }
        let usage = try daemon.usage()
        let row = try connection.execute(
            """
            SELECT count(*),
                percentile_disc(0.5) WITHIN GROUP (ORDER BY waited), percentile_disc(0.99) WITHIN GROUP (ORDER BY waited)
            FROM (
                SELECT extract(epoch FROM pg_xact_commit_timestamp(p.xmin) - p.ts)::double precision AS waited
                FROM windrow.point p JOIN windrow.series s ON s.id = p.series_id WHERE s.tag = $1) AS points
            """, [.text(tag)])
        // Two messages of a series in one microsecond are one point.
        guard try row.int64(0, 0) > Int64(expected) * 99 / 100 else { throw FixtureError("points are missing") }
        return (
            .seconds(try row.double(0, 1)), .seconds(try row.double(0, 2)),
            (usage.cpu - before.cpu) / .seconds(1) / Double(expected) * 1_000_000
        )
    }

    func stop() throws {
        try daemon.stop()
    }
}
