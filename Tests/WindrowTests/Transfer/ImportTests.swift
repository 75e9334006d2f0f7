import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@testable import FuzzTargets
@testable import Windrow

@Suite struct ImportTests {
    @Test(
        "an import leaves what its lines say one by one, in each mode, however it is cut into blocks and transactions",
        arguments: [Overwrite.insert, .updateWindow, .replaceWindow], [1, 3])
    func modes(mode: Overwrite, lanes: Int) throws {
        let fixture = try ImportFixture(lanes: lanes)
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = RandomRows(seed: seed)
        var expected = NaiveTable()
        let before = random.rows(150)
        RandomRows.apply(before, .insert, to: &expected)
        try fixture.load(try fixture.folder.write(RandomRows.csv(before), to: "before.csv"))
        #expect(try fixture.table() == expected.rows, "seed \(seed)")

        random.span = 40
        let rows = random.rows(400)
        RandomRows.apply(rows, mode, to: &expected)
        let summary = try fixture.load(try fixture.folder.write(RandomRows.csv(rows), to: "rows.csv"), mode)
        #expect(try fixture.table() == expected.rows, "seed \(seed)")
        #expect(summary.isComplete && summary.totals.points == 400 && summary.committed.lines == 401)
        #expect((summary.totals.deleted > 0) == (mode == .replaceWindow))
        #expect(try fixture.progressRows() == 0)
    }

    @Test(
        "an import that was interrupted goes on where it was, and leaves alone what others have done meanwhile to the part before",
        arguments: [Overwrite.insert, .updateWindow, .replaceWindow])
    func interrupted(mode: Overwrite) throws {
        let fixture = try ImportFixture(lanes: 2)
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = RandomRows(seed: seed)
        // Each series by itself, so that the first ones are done when it is interrupted.
        let rows = random.rows(600).sorted { $0.series.description < $1.series.description }
        let file = try fixture.folder.write(RandomRows.csv(rows), to: "rows.csv")
        var expected = NaiveTable()
        RandomRows.apply(rows, mode, to: &expected)

        let first = try fixture.task(file, mode, interruptedAfter: 300)
        try first.run(skipping: nil, restarts: false)
        let committed = first.summary.committed.lines
        try #require(!first.summary.isComplete && committed > 130 && committed < 600, "\(committed) lines")
        #expect(try fixture.progressRows() == 2)

        let done = rows[0]
        try fixture.writer.connection.execute("UPDATE windrow.point SET v = -1 WHERE series_id = 1")
        let second = try fixture.task(file, mode)
        try second.run(skipping: nil, restarts: false)
        #expect(second.summary.isComplete && second.summary.resumedAt?.lines == committed)
        #expect(first.summary.totals.points + second.summary.totals.points == 600, "seed \(seed)")
        var table = try fixture.table()
        #expect(table[done.series]?.values.allSatisfy { $0 == -1 } == true, "seed \(seed)")
        table[done.series] = expected.rows[done.series]
        #expect(table == expected.rows, "seed \(seed)")
        #expect(try fixture.progressRows() == 0)
    }

    @Test(
        "an import of a gzipped file that was interrupted goes on behind what is committed, or begins anew if it is told to",
        arguments: [false, true])
    func gzipped(restarts: Bool) throws {
        let fixture = try ImportFixture(lanes: 2)
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = RandomRows(seed: seed)
        let rows = random.rows(600)
        let text = try fixture.folder.write(RandomRows.csv(rows), to: "rows.csv")
        _ = try Command.require("gzip", [text])
        var expected = NaiveTable()
        RandomRows.apply(rows, .updateWindow, to: &expected)

        let first = try fixture.task(text + ".gz", .updateWindow, interruptedAfter: 300)
        try first.run(skipping: nil, restarts: false)
        let committed = first.summary.committed.lines
        try #require(!first.summary.isComplete && committed > 130 && committed < 600, "\(committed) lines")

        let second = try fixture.task(text + ".gz", .updateWindow)
        try second.run(skipping: nil, restarts: restarts)
        #expect(second.summary.isComplete && second.summary.resumedAt?.lines == (restarts ? nil : committed))
        #expect(second.summary.totals.points == 600 - (restarts ? 0 : first.summary.totals.points), "seed \(seed)")
        #expect(try fixture.table() == expected.rows, "seed \(seed)")
        #expect(try fixture.progressRows() == 0)
    }

    @Test("one import of a file at a time: a second one is refused, but for one that was killed a moment ago")
    func alone() throws {
        let fixture = try ImportFixture()
        let file = try fixture.folder.write("node_id,tag,ts,v\n1,t,2023-01-01T12:00:00Z,1\n", to: "rows.csv")
        let first = try fixture.task(file)
        let uuid = try #require(first.identity).uuid
        let other = try fixture.writer.connect()
        try other.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", [.text("windrow import \(uuid)")])
        #expect(throws: TransferError.self) { try first.run(skipping: nil, restarts: false) }
        Thread { [conninfo = fixture.writer.conninfo, process = other.backendID] in
            usleep(500_000)
            let connection = try? Connection(conninfo, applicationName: "windrow tests")
            _ = try? connection?.execute("SELECT pg_terminate_backend($1)", [.int4(process)])
        }.start()
        try fixture.task(file).run(skipping: nil, restarts: false)
        #expect(try fixture.table().count == 1)
    }

    @Test(
        "an import whose PostgreSQL loses what it had written goes on by itself from where PostgreSQL stands",
        arguments: [Overwrite.insert, .replaceWindow])
    func failedOver(mode: Overwrite) throws {
        let fixture = try ImportFixture(lanes: 2)
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = RandomRows(seed: seed)
        let rows = random.rows(600)
        let skipped = fixture.folder.path + "/skipped.csv"
        let file = try fixture.folder.write(RandomRows.csv(rows) + "1,t,never,1\n", to: "rows.csv")
        var expected = NaiveTable()
        RandomRows.apply(rows, mode, to: &expected)
        let other = try fixture.writer.connect()
        var (isBroken, phases) = (false, [Import.Phase]())
        let task = try fixture.task(
            file, mode,
            reports: { report in
                if phases.last != report.phase { phases.append(report.phase) }
                guard !isBroken, report.phase == .importing, report.points >= 200 else { return }
                isBroken = true
                // As a standby would be that had taken over and lacks all points, and where the series have other numbers.
                do {
                    try other.script(
                        """
                        -- In the lanes' order, or PostgreSQL finds a deadlock.
                        BEGIN; LOCK TABLE windrow.series, windrow.point, windrow.progress IN ACCESS EXCLUSIVE MODE;
                        UPDATE windrow.progress SET position = 0; DELETE FROM windrow.point; DELETE FROM windrow.series;
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name LIKE 'windrow import%';
                        COMMIT
                        """)
                } catch {
                    Issue.record(error)
                }
            })
        try task.run(skipping: skipped, restarts: false)
        #expect(task.summary.isComplete && task.summary.failovers == 1)
        #expect(phases.contains(.following))
        #expect(try fixture.table() == expected.rows, "seed \(seed)")
        #expect(try fixture.progressRows() == 0)
        #expect(try String(contentsOfFile: skipped, encoding: .utf8) == "node_id,tag,ts,v\n1,t,never,1\n")
    }

    @Test("a changed option or a changed file is another import")
    func identity() throws {
        let folder = try TemporaryFolder("windrow-import")
        let file = try folder.write("node,tag,ts,v\n", to: "a.csv")
        func uuid(_ change: (inout ImportOptions) -> Void = { _ in }) throws -> NodeUUID? {
            var options = ImportOptions()
            change(&options)
            return try ImportIdentity(of: file, .csv, options, schema: "windrow")?.uuid
        }
        let first = try #require(try uuid())
        #expect(try uuid() == first)
        #expect(try uuid { $0.overwrite = .updateWindow } != first)
        #expect(try uuid { $0.timeZone = 3600 } != first)
        try folder.write("node,tag,ts,w\n", to: "a.csv")
        #expect(try uuid() != first)
        #expect(try ImportIdentity(of: "/dev/null", .csv, ImportOptions(), schema: "windrow") == nil)
    }

    @Test("a rehearsal counts what would be done and changes nothing, not even a sequence")
    func rehearsal() throws {
        let fixture = try ImportFixture()
        try fixture.load(
            try fixture.folder.write("node,tag,ts,v\n1,t,2023-01-01T12:00:00Z,1\n", to: "before.csv"))
        let before = try fixture.fingerprint()
        let uuid = "12345678-1234-1234-1234-123456789012"
        let file = try fixture.folder.write(
            """
            node,tag,ts,v
            1,t,2023-01-01T12:00:00Z,2
            1,u,2023-01-01T13:00:00Z,2
            \(uuid),t,2023-01-01T14:00:00Z,x
            \(uuid),t,2023-01-01T14:00:00Z,3

            """, to: "rows.csv")
        let task = try fixture.task(file, .replaceWindow)
        try task.rehearse()
        let plan = try #require(task.summary.plan)
        #expect(plan.points == 3 && plan.series == 3 && plan.newNodes == 1 && plan.newSeries == 2 && plan.windows == 3)
        #expect(task.summary.badLines == [#"\#(file):4: v "x" is not a finite number"#])
        #expect(try fixture.fingerprint() == before)
    }

    @Test(
        "an import stops at a bad line and tells all of them, and goes on from there with --skip-bad, which keeps them as they came"
    )
    func badLines() throws {
        let fixture = try ImportFixture()
        try fixture.writer.connection.execute("ALTER TABLE windrow.point ADD CONSTRAINT sane CHECK (v < 1000)")
        var lines = (0..<200).map { "\($0 % 7 + 1),t,2023-01-01T12:\($0 / 60 + 10):\($0 % 60 + 100),\($0)" }
            .map { $0.replacingOccurrences(of: ":1(\\d\\d),", with: ":$1Z,", options: .regularExpression) }
        lines[150] = "1,t,2023-01-01T12:00:00Z,\"1"
        lines[160] = "1,\"t\",2023-01-01T12:00:00,1"
        lines[170] = "1,t,1970-01-01T12:00:00Z,1"
        lines[20] = "1,t,2023-01-01T12:00:00Z,5000"
        let text = "node,tag,ts,v\n" + lines.joined(separator: "\n")
        let file = try fixture.folder.write(text, to: "rows.csv")
        let skipped = fixture.folder.path + "/skipped.csv"

        let refused = try fixture.task(file)
        #expect(throws: TransferError.self) { try refused.run(skipping: nil, restarts: false) }
        #expect(refused.summary.badLines.contains { $0.hasPrefix("\(file):22: PostgreSQL refuses it") })
        try fixture.writer.connection.execute("ALTER TABLE windrow.point DROP CONSTRAINT sane")
        let stopped = try fixture.task(file)
        let error = #expect(throws: TransferError.self) { try stopped.run(skipping: nil, restarts: false) }
        #expect(error?.kind == .badData && error?.description.contains("line 152") == true)
        #expect(stopped.summary.badLines.count == 3 && stopped.summary.committed.lines == 151)
        #expect(try fixture.table().values.reduce(0) { $0 + $1.count } == 150)

        try fixture.writer.connection.execute(
            "ALTER TABLE windrow.point ADD CONSTRAINT sane CHECK (v <> 199) NOT VALID")
        let summary = try fixture.load(file, skipping: skipped)
        #expect(summary.isComplete && summary.totals.inserted == 46 && summary.totals.refused == 1)
        #expect(summary.badLineCount == 4)
        let kept = try String(contentsOfFile: skipped, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(
            Set(kept) == ["node,tag,ts,v", lines[150], lines[160], lines[170], lines[199]]
                && kept.first == "node,tag,ts,v")
        let reasons = try String(contentsOfFile: skipped + ".reasons", encoding: .utf8)
        #expect(reasons.contains("152: not CSV: "))
        #expect(reasons.contains("--time-zone") && reasons.contains("timestamps.oldest") && reasons.contains("sane"))

        let again = try fixture.task(file)
        let taken = #expect(throws: TransferError.self) { try again.run(skipping: skipped, restarts: false) }
        #expect(taken?.kind == .usage)
    }

    @Test("lines of unknown nodes are bad where nodes are not created, with their numbers")
    func unknownNodes() throws {
        var fixture = try ImportFixture()
        try fixture.writer.connection.execute("INSERT INTO windrow.node (id) VALUES (1)")
        fixture.domain.unknownNodes = .reject
        let file = try fixture.folder.write(
            (0..<60).reduce(into: "node,tag,ts,v\n") {
                $0 += "\($1 % 3 == 2 ? 2 : 1),t,2023-01-01T12:00:\($1 + 10 > 59 ? $1 : $1 + 10)Z,1\n"
            },
            to: "rows.csv")
        let summary = try fixture.load(file, skipping: fixture.folder.path + "/bad.csv")
        #expect(summary.badLineCount == 20 && summary.badReasons.map(\.reason) == [.unknownNode])
        #expect(summary.totals.points == 40)
        #expect(summary.badLines.first == "\(file):4: node 2 is not in the database, and unknown_nodes is reject")
        // A window is not even begun.
        let before = try fixture.fingerprint()
        let replace = try fixture.task(file, .replaceWindow)
        #expect(throws: TransferError.self) { try replace.run(skipping: nil, restarts: false) }
        #expect(replace.summary.badLineCount == 20)
        #expect(try fixture.fingerprint() == before)
    }

    @Test("a window that is longer than replace.max_span is refused before anything is changed")
    func tooLong() throws {
        let fixture = try ImportFixture()
        let file = try fixture.folder.write(
            "node,tag,ts,v\n7,t,2020-01-01T00:00:00Z,1\n7,t,2022-01-01T00:00:00Z,1\n", to: "rows.csv")
        let task = try fixture.task(file, .replaceWindow)
        let error = #expect(throws: TransferError.self) { try task.run(skipping: nil, restarts: false) }
        #expect(error?.description.contains("7/t") == true && error?.description.contains("replace.max_span") == true)
        #expect(try fixture.table().isEmpty)
    }

    @Test("lines of NDJSON are points, elements of requests, and edits with their own mode and window")
    func ndjson() throws {
        let fixture = try ImportFixture()
        let file = try fixture.folder.write(
            #"""
            {"node_id": 1, "tag": "t", "ts": "2023-01-01T12:00:00Z", "v": 1}
            {"v": 2, "ts": "2023-01-01T12:10:00Z", "node_id": 1, "tag": "t", "unit": "K"}

            {"node_id": 1, "tag": "t", "data": [{"v": 3, "ts": "2023-01-01T12:20:00Z"}, {"v": 4, "ts": "2023-01-01T12:00:00Z"}]}
            {"node_id": 1, "tag": "t", "overwrite": "update_window", "ts": "2023-01-01T12:10:00Z", "v": 5}
            {"node_id": 1, "tag": "t", "overwrite": "replace_window", "window": {"start": "2023-01-01T12:15:00Z", "end": "2023-01-01T12:25:00Z"}, "data": []}
            [{"node_id": 2, "tag": "t", "data": [{"v": 6, "ts": "2023-01-01T12:00:00Z"}]}, {"node_id": 2, "tag": "u", "v": 7, "ts": "2023-01-01T12:00:00Z"}]
            [{"node_id": 3, "tag": "t", "data": [{"v": 6, "ts": "2023-01-01T12:00:00Z"}]}, {"node_id": 3}]
            {"node_id": 1, "tag": "t", "ts": "2023-01-01T12:30:00Z", "v": "8"}
            {"node_id": "1", "tag": "t", "ts": "2023-01-01T12:30:00Z", "v": 8}
            """#, to: "rows.ndjson")
        let summary = try fixture.load(file, skipping: fixture.folder.path + "/bad")
        #expect(summary.badReasons.map(\.count).reduce(0, +) == 3)
        #expect(summary.badLines.contains(#"\#(file):9: v is a string ("8"), expected a number (at /v)"#))
        func at(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: "2023-01-01T\(text):00Z")) }
        #expect(
            try fixture.table() == [
                seriesName(1): [at("12:00"): 1, at("12:10"): 5], seriesName(2): [at("12:00"): 6],
                seriesName(2, "u"): [at("12:00"): 7],
            ])
    }

    @Test("numbers, times and columns may be written in other ways where the options say so")
    func forms() throws {
        let fixture = try ImportFixture()
        let wide = try fixture.folder.write(
            "\u{FEFF}time;\"in\"\"door\";outdoor\r\n2023-01-01 13:00:00;1.5;\r\n2023-01-01 13:10:00+00;;-2e3\r\n",
            to: "wide.csv")
        let summary = try fixture.load(wide) {
            $0.delimiter = UInt8(ascii: ";")
            $0.tagsFromColumns = true
            $0.node = NodeName("7")
            $0.timeZone = 3600
        }
        #expect(summary.totals.inserted == 2)
        let epoch = try fixture.folder.write("1672574400123,4\n", to: "epoch.csv")
        try fixture.load(epoch) {
            $0.hasHeader = false
            $0.node = NodeName("8")
            $0.tag = Tag("t")
            $0.epoch = .milliseconds
        }
        func at(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }
        let table = try fixture.table()
        #expect(table[seriesName(7, "in\"door")] == [try at("2023-01-01T12:00:00Z"): 1.5])
        #expect(table[seriesName(7, "outdoor")] == [try at("2023-01-01T13:10:00Z"): -2000])
        #expect(table[seriesName(8)] == [try at("2023-01-01T12:00:00.123Z"): 4])
        #expect(table.count == 3)
    }

    @Test("a node that is named by its number and by its UUID is one, with one window")
    func twoNames() throws {
        let fixture = try ImportFixture()
        let uuid = "12345678-1234-1234-1234-123456789012"
        try fixture.writer.connection.execute("INSERT INTO windrow.node (id, uuid) VALUES (1, '\(uuid)')")
        let rows = (0..<40).map { "\($0 % 2 == 0 ? "1" : uuid.uppercased()),t,2023-01-01T12:00:\($0 + 10)Z,\($0)" }
        let file = try fixture.folder.write("node,tag,ts,v\n" + rows.joined(separator: "\n") + "\n", to: "rows.csv")
        for mode in [Overwrite.insert, .replaceWindow] {
            let summary = try fixture.load(file, mode)
            #expect(summary.series == 1 && summary.totals.inserted == 40)
        }
        #expect(try fixture.table()[seriesName(1)]?.count == 40)
    }
}
