import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// `windrow simulate` beside the daemon, as its users run it.
@Suite struct SimulateTests {
    /// Everything that fleets do, in a few seconds.
    private static let busy = [
        "--gateways", "20", "--rate", "3000", "--drop-outs", "0.2", "--drop-out-length", "500ms", "--late", "0.1",
        "--duplicates", "0.1", "--corrections", "0.1", "--backfill", "14d", "--json",
    ]

    private struct Outcome {
        var status: Int32
        var errors: String
        var summary: [String: Any]

        init(_ status: Int32, _ output: String, _ errors: String) {
            (self.status, self.errors) = (status, errors)
            summary = (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
        }

        subscript(_ name: String) -> Int { summary[name] as? Int ?? -1 }

        /// A figure of the verification.
        func verified(_ name: String) -> Int { (summary["verification"] as? [String: Any])?[name] as? Int ?? -1 }

        var examples: [String] { (summary["verification"] as? [String: Any])?["examples"] as? [String] ?? [] }
        var isClean: Bool { verified("missing") == 0 && verified("wrong") == 0 && verified("unexpected") == 0 }
    }

    private func simulate(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
        let result = try Command.run(
            Project.program("windrow"), ["simulate"] + arguments,
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 })
        return Outcome(result.status, result.output, result.errors)
    }

    /// A simulation that goes on while the test does.
    private struct Running {
        private let folder: TemporaryFolder
        let child: ChildProcess

        init(_ arguments: [String]) throws {
            folder = try TemporaryFolder()
            child = try ChildProcess(
                Project.program("windrow"), ["simulate"] + arguments, output: folder.path + "/out",
                errors: folder.path + "/errors")
        }

        func outcome() throws -> Outcome {
            let status = child.exitCode(wait: true) ?? -1
            let texts = try ["out", "errors"].map {
                try String(contentsOfFile: folder.path + "/" + $0, encoding: .utf8)
            }
            return Outcome(status, texts[0], texts[1])
        }
    }

    private func mqtt(_ station: Station, _ sandbox: Sandbox = .shared) -> [String] {
        [
            "mqtt://127.0.0.1:\(sandbox.mqttPort)", "--topic", station.root + "/{node}/{tag}", "--postgres",
            station.database,
        ]
    }

    @Test(
        "over MQTT, gateways that vanish, repeat and correct leave what their model says; what is changed there is found"
    )
    func broker() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let plan = Self.busy + ["--points", "6000", "--seed", "11", "--start", "2026-01-01T00:00:00Z"]
        let first = try simulate(mqtt(station) + plan + ["--verify"])
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.isClean, "\(first.examples)")
        // The old points come on top, and what was late in the end is not sent.
        #expect(first.verified("acknowledged") > 6000)
        #expect(first.verified("stored") == first.verified("acknowledged"))
        #expect(first["acknowledged_points"] > first.verified("acknowledged"))
        #expect(first["unanswered_points"] == 0 && first["refused_points"] == 0 && first["unheard_points"] == 0)
        #expect(try station.count() == first.verified("stored"))

        let connection = try Connection(station.database, applicationName: "windrow tests")
        func tamper(_ sql: String) throws {
            #expect(
                try connection.execute(
                    "WITH one AS (SELECT series_id, ts FROM windrow.point ORDER BY ts DESC LIMIT 1 OFFSET 50) "
                        + sql + " (series_id, ts) = (SELECT series_id, ts FROM one)"
                ).affected == 1)
        }
        try tamper("DELETE FROM windrow.point WHERE")
        try tamper("UPDATE windrow.point SET v = v + 0.5 WHERE")
        let again = try simulate(mqtt(station) + plan + ["--verify-only", "--verify-timeout", "100ms"])
        #expect(again.status == 65)
        #expect(again.verified("missing") == 1 && again.verified("wrong") == 1 && again.verified("unexpected") == 0)
        #expect(again.examples.contains { $0.contains("was acknowledged, and is not stored") })
        #expect(again.examples.contains { $0.contains("is stored instead of") })

        let cleaned = try simulate(
            mqtt(station) + plan + ["--verify-only", "--verify-timeout", "100ms", "--clean", "--yes"])
        #expect(cleaned["cleaned_points"] == first.verified("stored") - 1)
        #expect(try station.count() == 0)
    }

    @Test("over HTTP, likewise; it is read back by GET, and a key that is wrong is told")
    func server() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let target = "http://127.0.0.1:\(station.daemon.httpPort)/demo"
        let result = try simulate(
            [target] + Self.busy + ["--duration", "3s", "--verify"], environment: ["WINDROW_KEY": TestKey.secret])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.isClean, "\(result.examples)")
        #expect(result.verified("stored") > 6000)
        #expect(try station.count() == result.verified("stored") + result.verified("unacknowledged"))

        let wrong = try simulate([target, "--duration", "1s"], environment: ["WINDROW_KEY": "wrong"])
        #expect(wrong.status == 78)
        #expect(wrong.errors.contains("answers 401") && wrong.errors.contains("--api-key-file"))
    }

    @Test("a broker and a daemon that restart in the middle cost connections, and no point")
    func restarts() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try station.daemon.startAndWait()
        let running = try Running(mqtt(station, sandbox) + Self.busy + ["--duration", "6s", "--verify"])
        try waitUntil("points are stored") { try station.daemon.metric("windrow_points_inserted_total") ?? 0 > 1000 }
        try sandbox.stop(.mosquitto)
        try sandbox.start(.mosquitto)
        try station.daemon.kill()
        try station.daemon.startAndWait()
        let outcome = try running.outcome()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.isClean, "\(outcome.examples)")
        #expect(outcome["lost_connections"] > 0)
        #expect(outcome.verified("stored") > 10_000)
    }

    @Test("SIGINT ends the sending; what is under way is waited for, and compared")
    func interrupted() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let running = try Running(mqtt(station) + Self.busy + ["--rate", "max", "--verify"])
        try waitUntil("points are stored") { try station.daemon.metric("windrow_points_inserted_total") ?? 0 > 1000 }
        running.child.signal(SIGINT)
        let outcome = try running.outcome()
        #expect(outcome.status == 0)
        #expect(outcome.isClean && outcome.verified("stored") > 1000, "\(outcome.errors)")
        #expect(outcome["unanswered_points"] == 0)
    }

    @Test("messages that nobody subscribes to, nodes that are somebody's, and servers that are away or refuse are told")
    func mistakes() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let broker = "mqtt://127.0.0.1:\(Sandbox.shared.mqttPort)"
        let unheard = try simulate([broker, "--topic", "nobody/{node}/{tag}", "--duration", "500ms", "--json"])
        #expect(unheard.status == 78)
        #expect(unheard["unheard_points"] > 0 && unheard["acknowledged_points"] == 0)

        let client = try station.client()
        let body = #"[{"node_id": 1000007, "tag": "outdoortemp", "data": [{"v": 1, "ts": "\#(stamp(0))"}]}]"#
        #expect(try client.post(Station.call(), body).status == 200)
        let foreign = try simulate(mqtt(station) + ["--duration", "1s", "--verify"])
        #expect(foreign.status == 78)
        #expect(
            foreign.errors.contains("node 1000007 has the tag outdoortemp") && foreign.errors.contains("--first-node"))
        #expect(try station.count() == 1)

        let away = try simulate(["mqtt://127.0.0.1:1", "--duration", "1s"])
        #expect(away.status == 69)
        #expect(away.errors.contains("127.0.0.1:1") && away.errors.contains("is the broker running"))
        let noServer = try simulate(["http://127.0.0.1:1/demo", "--duration", "1s"])
        #expect(noServer.status == 69)
        #expect(noServer.errors.contains("http://127.0.0.1:1") && noServer.errors.contains("is Windrow running"))
        for arguments in [
            ["--rate", "0"], ["--verify"], ["--topic", "x"], ["--clean", "--yes"], ["--gateways", "0"],
        ] {
            #expect(try simulate([broker, "--duration", "1s"] + arguments).status == 64, "\(arguments)")
        }
    }

    @Test("a wrong password is told before anything is sent")
    func wrongPassword() throws {
        let folder = try TemporaryFolder()
        try Command.require("mosquitto_passwd", ["-b", "-c", folder.path + "/passwords", "gateway", "secret"])
        try Command.require("chmod", ["-R", "a+rX", folder.path])
        let sandbox = try Sandbox(mosquittoSettings: "password_file \(folder.path)/passwords\n")
        for password in ["wrong", "secret"] {
            let file = try folder.write(password + "\n", to: "password")
            let outcome = try simulate([
                "mqtt://127.0.0.1:\(sandbox.mqttPort)", "--username", "gateway", "--password-file", file, "--points",
                "1",
                "--gateways", "1",
            ])
            // With the right one nobody subscribes.
            #expect(outcome.status == 78)
            #expect(
                outcome.errors.contains("check user name and password") == (password == "wrong"), "\(outcome.errors)")
        }
    }
}
