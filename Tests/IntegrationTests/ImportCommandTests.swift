import Foundation
import GRDB
import LibPQ
import Testing
import WindrowTestSupport

/// A domain with a database of its own, and the program that works on it without a daemon.
private struct Desk {
    let folder: TemporaryFolder
    let database: String
    let configuration: String

    init(sandbox: Sandbox = .shared, domain: String = "") throws {
        folder = try TemporaryFolder("windrow-desk")
        database = try sandbox.makeDatabase()
        configuration = try folder.write(
            """
            journal: {directory: \(folder.path)/journal}
            domains:
              demo:
                postgres: \(database)
                keys_file: demo.keys
            \(domain)
            """, to: "windrow.yaml")
        try run(["migrate"])
    }

    /// Three series, `count` points, a second apart, in lines so long that it takes few to fill a block.
    func write(_ count: Int, to name: String) throws -> String {
        let note = String(repeating: "x", count: 60)
        var text = "node_id,tag,ts,v,note\n"
        for place in 0..<count { text += "\(place % 3 + 1),t,\(1_672_574_400 + place),\(place),\(note)\n" }
        return try folder.write(text, to: name)
    }

    @discardableResult
    func run(
        _ arguments: [String], input: Data? = nil, environment: [String: String] = [:], mustSucceed: Bool = true
    ) throws -> Command.Result {
        let result = try Command.run(
            Project.program("windrow"), arguments + ["--config", configuration], input: input,
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 })
        if mustSucceed, result.status != 0 {
            throw FixtureError("\(arguments): exit code \(result.status)\n\(result.output)\(result.errors)")
        }
        return result
    }

    /// How many points there are, and a digest of them all.
    func stored() throws -> (count: Int, sum: Double) {
        let connection = try Connection(database, applicationName: "windrow tests")
        let rows = try connection.execute(
            "SELECT count(*), coalesce(sum(v), 0), count(*) FILTER (WHERE v <> extract(epoch FROM ts) - 1672574400) FROM windrow.point"
        )
        guard try rows.int64(0, 2) == 0 else { throw FixtureError("a point is not what the file says") }
        return (Int(try rows.int64(0, 0)), try rows.double(0, 1))
    }
}

#if DEBUG
    @Suite struct ImportCrashTests {
        @Test(
            "an import that is killed at any step and given again stores each point once",
            arguments: ["flush-in-transaction", "flush-before-commit", "flush-after-commit"])
        func killed(at point: String) throws {
            let desk = try Desk(domain: "    flush: {max_points: 1}")
            let file = try desk.write(100_000, to: "rows.csv")
            // Sorted by time, so that no lane ever meets a point that is there already, unless it were written twice.
            var kept = 0
            for count in [1, 2, 1] {
                let result = try desk.run(
                    ["import", file, "--epoch", "s", "--quiet"], environment: ["WINDROW_FAULT": "\(point):\(count)"],
                    mustSucceed: false
                )
                try #require(result.status == 128 + SIGKILL, "\(result.output)\(result.errors)")
                let now = try desk.stored().count
                #expect(now >= kept)
                kept = now
            }
            try #require(kept > 0 && kept < 100_000)
            let result = try desk.run(["import", file, "--epoch", "s"])
            #expect(result.errors.contains("resuming at"), "\(result.errors)")
            #expect(
                result.output.contains("inserted \(grouped(100_000 - kept)), updated 0, kept 0,"), "\(result.output)")
            #expect(try desk.stored() == (100_000, 99_999 * 50_000))
            #expect(
                try desk.run(["import", file, "--epoch", "s"]).output.contains("inserted 0, updated 0, kept 100,000"))
        }

        private func grouped(_ number: Int) -> String {
            number.formatted(.number.locale(Locale(identifier: "en_US")))
        }
    }
#endif

@Suite struct ImportCommandTests {
    @Test(
        "an import waits for a PostgreSQL that restarts under it, also one from standard input, and stores each point once"
    )
    func restarted() throws {
        let sandbox = try Sandbox()
        let desk = try Desk(sandbox: sandbox)
        let file = try desk.write(150_000, to: "rows.csv")
        let blocker = try Connection(desk.database, applicationName: "windrow tests")
        try blocker.script("BEGIN; LOCK TABLE windrow.point IN EXCLUSIVE MODE")
        let child = try ChildProcess(
            Project.program("windrow"),
            ["import", "-", "--format", "csv", "--epoch", "s", "--config", desk.configuration], input: file,
            output: desk.folder.path + "/out", errors: desk.folder.path + "/err")
        try waitUntil("the import waits for the lock") {
            try Connection(sandbox.conninfo(), applicationName: "windrow tests").execute(
                "SELECT FROM pg_stat_activity WHERE application_name LIKE 'windrow import lane%' AND wait_event_type = 'Lock'"
            ).count > 0
        }
        try sandbox.stop(.postgres, kill: true)
        try sandbox.start(.postgres)
        let code = try waitUntil("the import ends", timeout: .seconds(60)) { child.exitCode() }
        let output = try String(contentsOfFile: desk.folder.path + "/out", encoding: .utf8)
        let errors = try String(contentsOfFile: desk.folder.path + "/err", encoding: .utf8)
        #expect(code == 0 && output.contains("inserted 150,000,"), "\(output)\(errors)")
        #expect(errors.contains("cannot be resumed") && errors.contains("trying again"))
        #expect(try desk.stored() == (150_000, 149_999 * 75_000))
        let connection = try Connection(desk.database, applicationName: "windrow tests")
        #expect(try connection.execute("SELECT FROM windrow.progress").count == 0)
    }

    @Test(
        "an import that is interrupted says how far it has come and how it goes on, with exit code 130; --restart begins anew",
        arguments: [false, true])
    func interrupted(restarts: Bool) throws {
        let desk = try Desk(domain: "    flush: {max_points: 1}")
        let file = try desk.write(200_000, to: "rows.csv")
        let blocker = try Connection(desk.database, applicationName: "windrow tests")
        try blocker.script("BEGIN; LOCK TABLE windrow.point IN EXCLUSIVE MODE")
        let child = try ChildProcess(
            Project.program("windrow"), ["import", file, "--epoch", "s", "--config", desk.configuration],
            output: desk.folder.path + "/out", errors: desk.folder.path + "/err")
        try waitUntil("the import waits for the lock") {
            // Within a transaction the answer would never change.
            try Connection(desk.database, applicationName: "windrow tests").execute(
                "SELECT FROM pg_stat_activity WHERE application_name LIKE 'windrow import lane%' AND wait_event_type = 'Lock' "
                    + "AND datname = current_database()"
            ).count > 0
        }
        child.signal(SIGINT)
        try blocker.script("COMMIT")
        #expect(try waitUntil("the import ends", timeout: .seconds(60)) { child.exitCode() } == 130)
        let errors = try String(contentsOfFile: desk.folder.path + "/err", encoding: .utf8)
        #expect(errors.contains("goes on from there"), "\(errors)")
        let kept = try desk.stored().count
        #expect(kept > 0)
        let last = try desk.run(["import", file, "--epoch", "s"] + (restarts ? ["--restart"] : []))
        #expect(last.errors.contains("resuming at") == !restarts, "\(last.errors)")
        #expect(last.output.contains("kept 0,") == !restarts, "\(last.output)")
        #expect(try desk.stored() == (200_000, 199_999 * 100_000))
    }

    @Test("an import beside the daemon, which writes the same series meanwhile, leaves the points of both")
    func besideDaemon() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let folder = try TemporaryFolder("windrow-import")
        let text = (0..<60_000).reduce(into: "v,ts\n") { $0 += "\($1),\(1_672_574_400 + $1 * 2)\n" }
        let file = try folder.write(text, to: "rows.csv")
        let child = try ChildProcess(
            Project.program("windrow"),
            [
                "import", file, "--node", "1", "--tag", "t", "--epoch", "s", "--overwrite", "update_window", "--config",
                station.daemon.configuration,
            ], output: folder.path + "/out", errors: folder.path + "/err")
        // Every second between the file's points, and every hundredth on one of them, older and newer than what is stored.
        for part in 0..<20 {
            let points = (0..<300).map { place in
                let second = (part * 300 + place) * 20 + (place % 100 == 0 ? 0 : 1)
                return
                    #"{"v": \#(second / 2), "ts": "\#(Date(timeIntervalSince1970: Double(1_672_574_400 + second)).formatted(.iso8601))"}"#
            }
            try station.publisher.publish("[\(points.joined(separator: ","))]", on: "\(station.root)/1/t")
        }
        #expect(try waitUntil("the import ends", timeout: .seconds(60)) { child.exitCode() } == 0)
        let expected = 60_000 + 20 * 297
        try waitUntil("all are stored") { try station.count() >= expected }
        #expect(try station.count() == expected)
        let stored = try station.stored()
        #expect((0..<60_000).allSatisfy { stored[time(Int64($0) * 2)] == Double($0) })
        try station.checkAccounting()
    }

    @Test(
        "wrong usage is told with its exit code",
        arguments: [
            (["nowhere.csv"], 66, "cannot open"), (["--domain", "other", "x.csv"], 64, "it has demo"),
            (["--delimiter", "ab", "x.csv"], 64, "--delimiter"), (["-"], 64, "--format"),
            (["--node", "x", "x.csv"], 64, "is no node"),
            (["--overwrite", "replace_window", "--format", "csv", "-"], 64, "only once"),
        ])
    func usage(arguments: [String], code: Int32, text: String) throws {
        let desk = try Desk()
        let result = try desk.run(["import"] + arguments, mustSucceed: false)
        #expect(result.status == code && result.errors.contains(text), "\(result.status) \(result.errors)")
    }

    @Test("commands that work on the database alone need neither the secrets nor the variables of the daemon's unit")
    func withoutSecrets() throws {
        let desk = try Desk(
            domain: """
                    mqtt:
                      - broker: mqtt://127.0.0.1:1
                        client_id: desk
                        username: ${WINDROW_TESTS_UNSET}
                        password_file: nowhere.password
                        subscriptions: [{topic: "nodes/{node}/{tag}"}]
                """)
        let text = try String(contentsOfFile: desk.configuration, encoding: .utf8)
        try ("http: {tls: {cert_file: nowhere.crt, key_file: nowhere.key}}\n" + text)
            .write(toFile: desk.configuration, atomically: true, encoding: .utf8)
        let refused = try desk.run(["check"], mustSucceed: false)
        for part in ["WINDROW_TESTS_UNSET", "nowhere.password", "nowhere.key"] {
            #expect(refused.status == 78 && refused.errors.contains(part), "\(refused)")
        }
        try desk.run(["migrate"])
        try desk.run(["import", try desk.write(30, to: "rows.csv"), "--epoch", "s"])
        #expect(try desk.run(["export"]).output.split(separator: "\n").count == 31)
        #expect(try desk.run(["journal"]).errors.contains("no journal"))
    }

    @Test("PostgreSQL that is away, and a database without the schema, are told with their exit codes")
    func away() throws {
        let desk = try Desk()
        let file = try desk.write(3, to: "rows.csv")
        try Connection(desk.database, applicationName: "windrow tests").script("DROP SCHEMA windrow CASCADE")
        let unready = try desk.run(["import", file], mustSucceed: false)
        #expect(unready.status == 78 && unready.errors.contains("windrow migrate"), "\(unready.errors)")
        let text = try String(contentsOfFile: desk.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "port=", with: "port=1 connect_timeout=2 options=-cx=")
            .write(toFile: desk.configuration, atomically: true, encoding: .utf8)
        #expect(try desk.run(["import", file], mustSucceed: false).status == 69)
        let rehearsal = try desk.run(["import", file, "--epoch", "s", "--dry-run"])
        #expect(rehearsal.output.contains("is not known"), "\(rehearsal.output)")
    }
}

@Suite struct ExportCommandTests {
    @Test("an export goes to a file or to standard output, and ends quietly when nobody reads on")
    func outputs() throws {
        let desk = try Desk()
        try desk.run(["import", try desk.write(30_000, to: "rows.csv"), "--epoch", "s", "--quiet"])
        let path = desk.folder.path + "/out.csv.gz"
        let result = try desk.run(["export", "--output", path])
        #expect(result.output.isEmpty && result.errors.contains("30,000 points of 3 series"), "\(result.errors)")
        #expect(try desk.run(["export", "--output", path], mustSucceed: false).status == 64)
        try desk.run(["export", "--output", path, "--force"])
        let text = try desk.run(["export"]).output
        #expect(try Command.require("gunzip", ["-c", path]) == text && text.split(separator: "\n").count == 30_001)
        let head = try Command.run(
            "bash",
            ["-c", "set -o pipefail; \(Project.program("windrow")) export --config \(desk.configuration) | head -n 2"])
        #expect(head.status == 0 && head.errors.isEmpty, "\(head.errors)")
    }

    @Test("an export that is interrupted leaves a file of its name as it is")
    func interrupted() throws {
        let desk = try Desk()
        try desk.run(["import", try desk.write(3, to: "rows.csv"), "--epoch", "s"])
        let path = try desk.folder.write("what was there\n", to: "out.csv")
        let blocker = try Connection(desk.database, applicationName: "windrow tests")
        try blocker.script("BEGIN; LOCK TABLE windrow.point IN ACCESS EXCLUSIVE MODE")
        let child = try ChildProcess(
            Project.program("windrow"), ["export", "--output", path, "--force", "--config", desk.configuration],
            output: desk.folder.path + "/out", errors: desk.folder.path + "/err")
        try waitUntil("the export waits for the lock") {
            try Connection(desk.database, applicationName: "windrow tests").execute(
                "SELECT FROM pg_stat_activity WHERE application_name = 'windrow export' AND wait_event_type = 'Lock' "
                    + "AND datname = current_database()"
            ).count > 0
        }
        child.signal(SIGINT)
        try blocker.script("COMMIT")
        #expect(try waitUntil("the export ends") { child.exitCode() } == 130)
        let errors = try String(contentsOfFile: desk.folder.path + "/err", encoding: .utf8)
        #expect(errors == "interrupted; \(path) is not written\n")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "what was there\n")
    }

    @Test("an export to standard output whose server goes away says what to do")
    func brokenOff() throws {
        let desk = try Desk()
        try desk.run(["import", try desk.write(60_000, to: "rows.csv"), "--epoch", "s", "--quiet"])
        let (begun, goOn) = (desk.folder.path + "/begun", desk.folder.path + "/go-on")
        // Nobody reads on, so it cannot go on either.
        let task = try ChildProcess(
            "/bin/bash",
            [
                "-c",
                "set -o pipefail; \(Project.program("windrow")) export --config \(desk.configuration) | "
                    + "(read -r; touch \(begun); until [[ -e \(goOn) ]]; do sleep 0.02; done; cat >/dev/null)",
            ], output: desk.folder.path + "/out", errors: desk.folder.path + "/err")
        try waitUntil("it has begun") { FileManager.default.fileExists(atPath: begun) }
        let connection = try Connection(desk.database, applicationName: "windrow tests")
        try connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'windrow export'"
        )
        try desk.folder.write("", to: "go-on")
        #expect(try waitUntil("it ends") { task.exitCode() } == 69)
        let errors = try String(contentsOfFile: desk.folder.path + "/err", encoding: .utf8)
        #expect(errors.contains("not complete") && errors.contains("--output FILE"), "\(errors)")
    }
}

@Suite struct JournalCommandTests {
    @Test(
        "what waits while PostgreSQL is away is listed and exported, beside the daemon and without it, and can be imported elsewhere"
    )
    func waiting() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try station.daemon.startAndWait()
        func journal(_ arguments: String...) throws -> Command.Result {
            try Command.run(
                Project.program("windrow"), ["journal"] + arguments + ["--config", station.daemon.configuration])
        }
        let topic = "\(station.root)/1/t"
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: topic)
        try station.waitUntilStored([time(0): 1])
        try waitUntil("the journal is trimmed") { try station.journaledBatches() == 0 }
        let empty = try journal("list")
        #expect(empty.status == 0 && empty.output.contains("waiting       nothing"), "\(empty.output)\(empty.errors)")
        #expect(empty.output.contains("daemon        runs"))

        try sandbox.stop(.postgres, kill: true)
        try station.publisher.publish(
            #"[{"v": 2, "ts": "2023-01-01T12:00:10Z"}, {"v": 3, "ts": "2023-01-01T12:00:20Z"}]"#, on: topic)
        try station.publisher.publish(
            #"{"data": [{"v": 4, "ts": "2023-01-01T12:00:20Z"}], "overwrite": "update_window"}"#, on: topic)
        try station.publisher.publish(
            #"{"data": [], "overwrite": "replace_window", "window": {"start": "2023-01-01T12:00:05Z", "end": "2023-01-01T12:00:15Z"}}"#,
            on: topic)
        try waitUntil("three wait") { try station.journaledBatches() == 3 }
        let list = try journal("list", "--json")
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [String: Any],
            "\(list.output)\(list.errors)")
        #expect(report["points"] as? Int == 3 && report["records"] as? Int == 3 && report["series"] as? Int == 1)
        #expect(report["daemon_runs"] as? Bool == true && report["postgres_error"] is String)

        try station.daemon.kill()
        let path = station.daemon.path + "/waiting.ndjson"
        let before =
            try FileManager.default.attributesOfItem(
                atPath: station.daemon.path + "/journal/demo/journal.sqlite")[.modificationDate] as? Date
        let export = try journal("export", "--output", path)
        #expect(export.status == 0 && export.errors.contains("3 points of 3 record batches"), "\(export.errors)")
        let after =
            try FileManager.default.attributesOfItem(
                atPath: station.daemon.path + "/journal/demo/journal.sqlite")[.modificationDate] as? Date
        #expect(before == after)
        #expect(try station.journaledBatches() == 3)

        let desk = try Desk()
        try desk.run(["import", path])
        let rows = try Connection(desk.database, applicationName: "windrow tests")
            .execute("SELECT ts, v FROM windrow.point")
        #expect(rows.count == 1)
        #expect(try rows.timestamp(0, 0) == time(20) && rows.double(0, 1) == 4)

        try station.damageFirstBatch()
        let damaged = try journal("export")
        #expect(damaged.status == 65 && damaged.output.split(separator: "\n").count == 2, "\(damaged.errors)")
        #expect(try journal("list").status == 65)
    }
}

extension Station {
    /// Changes a byte of the first batch that waits.
    fileprivate func damageFirstBatch() throws {
        try DatabaseQueue(path: daemon.path + "/journal/demo/journal.sqlite").write { db in
            try db.execute(
                sql: """
                    UPDATE batch SET body = CAST(substr(body, 1, length(body) - 1) || x'FF' AS BLOB)
                    WHERE position = (SELECT min(position) FROM batch)
                    """)
        }
    }
}
