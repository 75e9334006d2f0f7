import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite(.serialized) struct DeadLetterTests {
    /// Runs the command as an operator does.
    private func deadLetters(_ station: Station, _ arguments: String...) throws -> String {
        let result = try Command.run(
            Project.program("windrow"),
            ["dead-letters"] + arguments.prefix(1) + ["--config", station.daemon.configuration] + arguments.dropFirst())
        guard result.status == 0 else {
            throw FixtureError("exit code \(result.status): \(result.output)\(result.errors)")
        }
        return result.output
    }

    private func replace(_ text: String, with other: String, in station: Station) throws {
        let configuration = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        try #require(configuration.contains(text))
        try configuration.replacingOccurrences(of: text, with: other)
            .write(toFile: station.daemon.configuration, atomically: true, encoding: .utf8)
    }

    @Test(
        "messages rejected for a wrong configuration are accepted by a retry after it was mended, each as it was meant")
    func configurationMended() throws {
        let station = try Station(subscription: "            # no epoch")
        try station.daemon.startAndWait()
        let topic = "\(station.root)/1/t"
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: topic)
        try station.waitUntilStored([time(0): 1])
        let seconds = time(0) / 1_000_000
        try station.publisher.publish(#"{"v": 2, "ts": \#(seconds + 1)}"#, on: topic)
        // What the user property says counts for the retry too.
        try station.publisher.publish(
            #"{"v": 3, "ts": \#(seconds)}"#, on: topic, userProperties: [("overwrite", "update_window")])
        try station.publisher.publish(#"{"v": "x", "ts": \#(seconds + 2)}"#, on: topic)
        try waitUntil("three are rejected") { try station.deadLetters().count == 3 }

        let list = try deadLetters(station, "list")
        #expect(list.contains("demo: 3 (2 bad_timestamp, 1 bad_value)"))
        #expect(list.split(separator: "\n").count == 5)
        #expect(try deadLetters(station, "list", "--reason", "bad_value", "--json").contains(#""reason":"bad_value""#))
        #expect(try deadLetters(station, "list", "--topic", "elsewhere/#").contains("demo: none"))
        #expect(try deadLetters(station, "list", "--older-than", "1h").contains("demo: none"))
        #expect(try deadLetters(station, "show", "1").contains(#"{"v": 2, "ts": \#(seconds + 1)}"#))
        #expect(try deadLetters(station, "show", "2").contains("overwrite update_window"))
        #expect(try deadLetters(station, "show", "1", "--raw") == #"{"v": 2, "ts": \#(seconds + 1)}"#)

        #expect(try station.daemon.stop() == 0)
        try replace("# no epoch", with: "epoch: s", in: station)
        try station.daemon.startAndWait()
        let retried = try deadLetters(station, "retry", "--all")
        #expect(retried.contains("demo: 2 accepted, for PostgreSQL to store, 1 refused again"))
        try station.waitUntilStored([time(0): 3, time(1): 2])
        #expect(try station.deadLetters().map(\.reason) == ["bad_value"])

        let unknown = try Command.run(
            Project.program("windrow"),
            ["dead-letters", "drop", "--config", station.daemon.configuration, "3", "1", "77"])
        #expect(unknown.status == 64 && unknown.errors.contains("there is no dead letter 1, 77"), "\(unknown.errors)")
        #expect(try deadLetters(station, "drop", "--topic", "\(station.root)/#").contains("demo: 1 dropped"))
        #expect(try station.deadLetters().isEmpty)
        try station.checkAccounting()
    }

    @Test(
        "points that PostgreSQL refused are stored by a retry once it takes them, also when it was asked for without a daemon"
    )
    func refusedByDatabase() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let connection = try Connection(station.database, applicationName: "windrow tests")
        try connection.execute("ALTER TABLE windrow.point ADD CONSTRAINT sane CHECK (v < 100)")
        let data = (0..<20).map { #"{"v": \#($0 * 10), "ts": "\#(stamp($0))"}"# }.joined(separator: ",")
        try station.publisher.publish(
            #"{"data": [\#(data)], "overwrite": "replace_window"}"#, on: "\(station.root)/1/t")
        try waitUntil("the points are refused") { try station.deadLetters().count == 10 }
        try station.waitUntilStored(
            Dictionary(uniqueKeysWithValues: (0..<10).map { (time(Int64($0)), Double($0) * 10) }))
        try station.daemon.waitUntilLogged("sane")
        #expect(try station.daemon.stop() == 0)
        try connection.execute("ALTER TABLE windrow.point DROP CONSTRAINT sane")
        #expect(
            try deadLetters(station, "retry", "--reason", "refused_by_database")
                .contains("demo: 10 marked; the daemon does not run"))
        try station.daemon.startAndWait()
        try station.waitUntilStored(
            Dictionary(uniqueKeysWithValues: (0..<20).map { (time(Int64($0)), Double($0) * 10) }))
        #expect(try station.deadLetters().isEmpty)
        try station.checkAccounting()
    }

    @Test("messages of a stream window that are retried late replace their own windows and nothing between them")
    func lateStream() throws {
        let station = try Station(subscription: "            overwrite: replace_window\n            # no epoch")
        try station.daemon.startAndWait()
        let topic = "\(station.root)/1/t"
        let seconds = time(0) / 1_000_000
        var expected: [Int64: Double] = [:]
        for second in 0..<20 {
            // Every fifth is rejected.
            let stamp = second % 5 == 4 ? "\(seconds + Int64(second))" : #""\#(stamp(second))""#
            try station.publisher.publish(#"{"v": \#(second), "ts": \#(stamp)}"#, on: topic)
            expected[time(Int64(second))] = Double(second)
        }
        try waitUntil("four are rejected") { try station.deadLetters().count == 4 }
        #expect(try station.daemon.stop() == 0)
        try replace("# no epoch", with: "epoch: s", in: station)
        try station.daemon.startAndWait()
        #expect(try deadLetters(station, "retry", "--all").contains("demo: 4 accepted"))
        try station.waitUntilStored(expected)
        // Nor does the stream go on from where they were.
        try station.publisher.publish(#"{"v": 20, "ts": "\#(stamp(20))"}"#, on: topic)
        expected[time(20)] = 20
        try station.waitUntilStored(expected)
    }

    @Test("a range that PostgreSQL refuses to delete is kept with its points, so that a retry is the same edit")
    func refusedRange() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(1))"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(1): 1])
        let connection = try Connection(station.database, applicationName: "windrow tests")
        try connection.script(
            """
            CREATE FUNCTION windrow.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no deleting'; END$$;
            CREATE TRIGGER refuse BEFORE DELETE ON windrow.point FOR EACH ROW EXECUTE FUNCTION windrow.refuse();
            """)
        try station.publisher.publish(
            #"{"data": [{"v": 2, "ts": "\#(stamp(0))"}, {"v": 3, "ts": "\#(stamp(2))"}], "overwrite": "replace_window"}"#,
            on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 2, time(1): 1, time(2): 3])
        #expect(try station.deadLetters().map(\.reason) == ["refused_by_database"])
        try connection.execute("DROP TRIGGER refuse ON windrow.point")
        #expect(try deadLetters(station, "retry", "--all").contains("demo: 1 accepted"))
        try station.waitUntilStored([time(0): 2, time(2): 3])
    }

    @Test(
        "filters and durations that are none are wrong usage",
        arguments: [
            ["--topic", "nodes/#/x"], ["--topic", "nodes/1#"], ["--topic", ""], ["--newer-than", "99999999999d"],
            ["--older-than", "7"],
        ])
    func wrongFilters(arguments: [String]) throws {
        let station = try Station()
        let result = try Command.run(
            Project.program("windrow"),
            ["dead-letters", "list", "--config", station.daemon.configuration] + arguments)
        #expect(result.status == 64, "\(result.errors)")
    }

    @Test("a command that would change letters needs to be told which")
    func needsSelection() throws {
        let station = try Station()
        for command in ["drop", "retry"] {
            let result = try Command.run(
                Project.program("windrow"), ["dead-letters", command, "--config", station.daemon.configuration])
            #expect(result.status == 64)
            #expect(result.errors.contains("--all"))
        }
        // No journal yet: nothing to list, and nothing made.
        #expect(try deadLetters(station, "list").isEmpty)
        #expect(!FileManager.default.fileExists(atPath: station.daemon.path + "/journal"))
    }
}
