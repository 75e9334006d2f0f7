import Foundation
import LibPQ
import WindrowTestSupport

/// The same backlog, drained once by `mosquitto_sub` into /dev/null and once by the daemon into PostgreSQL: each has a session of
/// its own at the broker, and both queues are filled before either is drained.
final class BacklogCase {
    private let sandbox: Sandbox
    private let messages: Int
    private let series: Int
    private let database: String
    private let daemon: DaemonProcess
    private var round = 0

    init(_ sandbox: Sandbox, messages: Int, series: Int) throws {
        self.sandbox = sandbox
        self.messages = messages
        self.series = series
        database = try sandbox.makeDatabase()
        daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: \(database)
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                        client_id: windrow-bench
                        subscriptions:
                          - topic: nodes/{node}/{tag}
                """)
        // Makes both sessions.
        try daemon.startAndWait()
        try daemon.stop()
        try subscribe(["-E"])
    }

    /// Messages a second of either.
    func run() throws -> (drained: Double, stored: Double) {
        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        let (series, first) = (series, round * messages / series)
        try publisher.publish(messages) { number in
            let seconds = first + number / series
            return (
                "nodes/\(number % series + 1)/t",
                #"{"v": \#(number).5, "ts": "\#(stamp(seconds))"}"#
            )
        }
        round += 1
        // Neither goes first always.
        if round % 2 == 0 {
            let stored = try store()
            return (try drain(), stored)
        }
        return (try drain(), try store())
    }

    /// Resident bytes of the daemon, started anew and idle, with all series known.
    func memoryAtRest() throws -> Int {
        try daemon.startAndWait()
        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        try publisher.publish(series) { ("nodes/\($0 + 1)/t", "1") }
        try waitUntil("the points are stored") { try daemon.metric("windrow_points_inserted_total") == Double(series) }
        defer { _ = try? daemon.stop() }
        return daemon.residentMemory
    }

    private func drain() throws -> Double {
        let start = ContinuousClock.now
        try subscribe(["-C", "\(messages)"])
        return Double(messages) / ((ContinuousClock.now - start) / .seconds(1))
    }

    private func subscribe(_ arguments: [String]) throws {
        let command =
            ["exec mosquitto_sub -h 127.0.0.1 -p \(sandbox.mqttPort) -V 5 -c -x 86400 -i drain -q 1 -t nodes/+/+"]
            + arguments + [">/dev/null"]
        try Command.require("sh", ["-c", command.joined(separator: " ")])
    }

    /// From the start of the process to the last point in PostgreSQL.
    private func store() throws -> Double {
        let connection = try Connection(database, applicationName: "windrow-bench")
        let before = try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0)
        let start = ContinuousClock.now
        try daemon.start()
        // Asking the daemon is cheap; the count at the end makes sure.
        try waitUntil("the backlog is stored", timeout: .seconds(300), every: .milliseconds(50)) {
            try daemon.metric("windrow_points_inserted_total") == Double(messages) ? true : nil
        }
        let took = ContinuousClock.now - start
        let after = try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0)
        guard after - before == Int64(messages) else {
            throw FixtureError("\(messages) messages, \(after - before) rows")
        }
        try daemon.stop()
        return Double(messages) / (took / .seconds(1))
    }
}
