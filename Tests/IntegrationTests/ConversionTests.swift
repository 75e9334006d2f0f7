import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite(.serialized) struct ConversionTests {
    @Test(
        "points turn into partitions under a running daemon and writers of all kinds, and none is lost, kept too long or wrong"
    )
    func underLoad() throws {
        let seed = UInt64.random(in: 1...1_000_000)
        let conversion = try Conversion(rows: 160_000)
        let station = conversion.station
        try station.daemon.startAndWait()
        let scribes = try (0..<2).map { number in
            try Scribe(
                conversion, series: number == 0 ? 1001...1008 : 1009...1014, minutes: 8000,
                seed: seed + UInt64(number))
        }
        let others = Clients(scribes.map { scribe in { try scribe.work() } })
        let count = 1000
        let gateways = Clients(station.publisher, MixedLoad.lines(0..<count, root: station.root))

        // Killed again and again, until it is done.
        var random = SplitMix(seed)
        var kills = 0
        while kills < 6 {
            let child = try conversion.start("--rate", "80000")
            usleep(UInt32(100_000 + random.next(500_000)))
            guard child.exitCode() == nil else { break }
            child.signal(SIGKILL)
            _ = child.exitCode(wait: true)
            kills += 1
        }
        let last = try conversion.run("--verify")
        #expect(kills > 2 && last.output.contains("storage engine is now partitions"), "seed \(seed): \(kills) \(last)")
        let reached = try scribes.map { try $0.transactions() }
        try waitUntil("everybody goes on") { try zip(scribes, reached).allSatisfy { try $0.transactions() > $1 + 20 } }
        for scribe in scribes { scribe.stop() }
        try others.wait()
        try gateways.wait()

        for (tag, points) in MixedLoad.expected(count) { try station.waitUntilStored(points, tag: tag) }
        let wrong = try conversion.value(
            """
            SELECT count(*) FROM (SELECT * FROM windrow.point WHERE series_id BETWEEN 1001 AND 1014) p
            FULL JOIN copy c USING (series_id, ts) WHERE p.v IS DISTINCT FROM c.v
            """)
        #expect(wrong == 0, "seed \(seed)")
        // Those that nobody has written to.
        #expect(
            try conversion.value(
                "SELECT count(*) FROM windrow.point WHERE series_id BETWEEN 1015 AND 1020 AND v = (extract(epoch FROM ts - '2022-01-01Z') / 3 + series_id - 1001)"
            ) == 48_000)
        #expect(try station.deadLetters().isEmpty)
        #expect(!station.daemon.log.contains("before somebody mends it"), "\(station.daemon.logExcerpt)")
        try station.checkAccounting()
        try conversion.checkNothingIsLeft()
        #expect(try station.daemon.stop() == 0)
    }

    #if DEBUG
        @Test(
            "a conversion that is killed at any step goes on from there",
            arguments: [
                "conversion-begun:1", "conversion-mirrored:1", "conversion-in-slice:3",
                "conversion-before-swap:1", "conversion-after-swap:1",
            ])
        func killed(at point: String) throws {
            let conversion = try Conversion(rows: 40_000)
            let child = try conversion.start(fault: point)
            #expect(child.exitCode(wait: true) == 128 + SIGKILL, "\(conversion.said)")
            try conversion.connect().script(
                """
                DELETE FROM windrow.point WHERE series_id = 1003;
                UPDATE windrow.point SET v = -1 WHERE series_id = 1004;
                INSERT INTO windrow.point VALUES (1005, '2022-01-01 00:00:30Z', 7)
                """)
            let last = try conversion.run()
            if point.hasPrefix("conversion-after-swap") {
                #expect(last.output.contains("storage engine partitions") && !last.output.contains("copied"), "\(last)")
            } else {
                #expect(last.output.contains("38,001 compared"), "\(last)")
                #expect(last.errors.contains("resuming"), "\(last)")
            }
            #expect(try conversion.value("SELECT count(*) FROM windrow.point") == 38_001)
            #expect(try conversion.value("SELECT count(*) FROM windrow.point WHERE v = -1") == 2000)
            try conversion.checkNothingIsLeft()
        }
    #endif

    @Test("a point of a time that has no partition yet gets one from whoever writes it, whose session stays as it is")
    func partitionsFromWriters() throws {
        let conversion = try Conversion(rows: 20_000)
        let child = try conversion.start("--rate", "1000")
        try waitUntil("rows are copied") { try (conversion.copied() ?? 0) > 0 }
        let writer = try conversion.connect()
        let settings =
            "SELECT string_agg(name || setting, ' ' ORDER BY name) FROM pg_settings WHERE name NOT LIKE 'plpgsql%'"
        let before = try writer.execute(settings).text(0, 0)
        try writer.script(
            """
            INSERT INTO windrow.point VALUES (1, '1999-12-31 23:59:59Z', 1), (1, '2000-01-01Z', 2), (1, '2001-01-01Z', 3);
            UPDATE windrow.point SET ts = '2005-05-05Z' WHERE v = 3 AND series_id = 1;
            """)
        #expect(try writer.execute(settings).text(0, 0) == before)
        try writer.script(
            """
            BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO windrow.point VALUES (1, '2006-01-01Z', 4);
            DELETE FROM windrow.point WHERE series_id = 1 AND v < 3; COMMIT
            """)
        child.signal(SIGINT)
        _ = try waitUntil("it ends") { child.exitCode() }
        try conversion.run("--verify")
        let left = try conversion.connect().execute(
            "SELECT string_agg(v::text, ' ' ORDER BY ts), count(*) FROM windrow.point WHERE series_id = 1")
        #expect(try left.text(0, 0) == "3 4")
        // As pg_partman would have it.
        let partman = try conversion.connect().execute(
            "SELECT partition_table, table_exists FROM partman.show_partition_name('windrow.point', '2005-05-05Z')")
        #expect(try partman.text(0, 0) == "point_p2005_05_02" && partman.bool(0, 1))
    }

    @Test("who uses the table holds up the swap, is named, and nobody waits for long behind it")
    func blocked() throws {
        let conversion = try Conversion(rows: 20_000)
        try conversion.station.daemon.startAndWait()
        let reader = try conversion.connect()
        // The triggers want a lock that readers let through.
        try reader.script("BEGIN; SELECT count(*) FROM windrow.point")
        let child = try conversion.start()
        try waitUntil("the command says who is in the way") {
            conversion.said.contains("process \(reader.backendID) of user windrow (windrow tests, idle in transaction)")
        }
        // As long as it waits, it keeps others out for no more than 2 s.
        try conversion.station.publisher.publish(
            #"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(conversion.station.root)/1/t")
        try conversion.station.waitUntilStored([time(0): 1])
        #expect(child.exitCode() == nil)
        try reader.script("COMMIT")
        #expect(try waitUntil("it ends") { child.exitCode() } == 0, "\(conversion.said)")
        try conversion.checkNothingIsLeft()
        try conversion.station.waitUntilStored([time(0): 1])
    }

    @Test(
        "a second command says that one is at work, an interrupted one how to go on, and --abandon leaves nothing of it"
    )
    func abandoned() throws {
        let conversion = try Conversion(rows: 20_000)
        let before = try conversion.value("SELECT count(*) FROM pg_class")
        let first = try conversion.start("--rate", "2000")
        try waitUntil("rows are copied") { try (conversion.copied() ?? 0) > 0 }
        let second = try conversion.run(mustSucceed: false)
        #expect(second.status == 64 && second.errors.contains("another windrow migrate is at work"), "\(second)")
        first.signal(SIGINT)
        #expect(try waitUntil("it ends") { first.exitCode() } == 130)
        #expect(conversion.said.contains("the same command goes on from here"), "\(conversion.said)")

        // The configuration cannot change its mind halfway.
        try conversion.want("plain")
        let other = try conversion.run(mustSucceed: false)
        #expect(other.status == 78 && other.errors.contains("set storage.engine back"), "\(other)")
        #expect(try conversion.run("--abandon").output.contains("point is as it was"))
        #expect(try conversion.value("SELECT count(*) FROM pg_class") == before)
        #expect(try conversion.value("SELECT count(*) FROM windrow.point") == 20_000)
        try conversion.checkNothingIsLeft()
        #expect(try conversion.run("--abandon").output.contains("nothing to undo"))
        try conversion.connect().script("DELETE FROM windrow.point")
    }

    @Test("grants and views of others go with the name, and what cannot go with it is told before anything is done")
    func dependents() throws {
        let conversion = try Conversion(rows: 20_000)
        let connection = try conversion.connect()
        let role = "reader_\(getpid())"
        try conversion.asAdministrator("DROP ROLE IF EXISTS \(role); CREATE ROLE \(role)")
        try connection.script(
            """
            CREATE INDEX mine ON windrow.point (ts); ALTER TABLE windrow.point ADD CONSTRAINT sane CHECK (v < 1e9);
            GRANT USAGE ON SCHEMA windrow TO \(role); GRANT SELECT, INSERT ON windrow.point TO \(role);
            GRANT UPDATE (v) ON windrow.point TO \(role) WITH GRANT OPTION;
            CREATE VIEW public.lately WITH (security_barrier = true) AS
                SELECT series_id AS series, max(ts) AS newest FROM windrow.point GROUP BY 1;
            GRANT SELECT ON public.lately TO \(role)
            """)
        let refused = try conversion.run(mustSucceed: false)
        #expect(
            refused.status == 78
                && refused.errors.contains("does not take over: index mine, constraint sane of point"), "\(refused)")
        try conversion.checkNothingIsLeft()
        try connection.script("DROP INDEX windrow.mine; ALTER TABLE windrow.point DROP CONSTRAINT sane")
        let privileges =
            "SELECT relacl::text || coalesce((SELECT string_agg(attacl::text, ' ') FROM pg_attribute WHERE attrelid = c.oid), '') FROM pg_class c WHERE oid = 'windrow.point'::regclass"
        let before = try connection.execute(privileges).text(0, 0)
        try conversion.run()
        #expect(try connection.execute(privileges).text(0, 0) == before)
        try connection.script("DELETE FROM windrow.point WHERE series_id > 1001")
        #expect(try conversion.value("SELECT count(*) FROM lately") == 1)
        #expect(
            try connection.execute("SELECT reloptions::text || relacl::text FROM pg_class WHERE relname = 'lately'")
                .text(0, 0)
                .contains("{security_barrier=true}{windrow=arwdDxt/windrow,\(role)=r/windrow}"))
        #expect(try conversion.value("SELECT count(*) FROM windrow.timeseries") == 0)
        #expect(try conversion.run("--drop-old").output.contains("dropped point_old"))
        #expect(try conversion.run("--drop-old").output.contains("there is no point_old"))
    }

    @Test(
        "while the disk of the new table is full, points wait and the command says so; with more room, both go on",
        .enabled(if: geteuid() == 0))
    func fullDisk() throws {
        let disk = try SmallDisk(mebibytes: 4)
        let sandbox = try Sandbox()
        let conversion = try Conversion(rows: 60_000, sandbox)
        let station = conversion.station
        let space = try disk.makeFolder(ownedLike: sandbox.environment["POSTGRES_DATA"] ?? "")
        try conversion.asAdministrator("CREATE TABLESPACE small OWNER windrow LOCATION '\(space)'")
        try conversion.asAdministrator("ALTER ROLE windrow SET default_tablespace = small")
        try station.daemon.startAndWait()
        let refused = try conversion.run(mustSucceed: false)
        #expect(
            refused.status == 78 && refused.errors.contains("no room on its disk (could not extend file"), "\(refused)")

        let points = (0..<5_000).map { (time(Int64($0)), Double($0)) }
        let data = (0..<5_000).map { #"{"v": \#($0), "ts": "\#(stamp($0))"}"# }.joined(separator: ",")
        try station.publisher.publish("[\(data)]", on: "\(station.root)/1/t")
        try station.daemon.waitUntilLogged("No space left on device")
        #expect(try station.stored().isEmpty)
        #expect(try conversion.run(mustSucceed: false).errors.contains("no room on its disk"))

        try disk.grow(mebibytes: 64)
        try station.waitUntilStored(Dictionary(uniqueKeysWithValues: points))
        let last = try conversion.run()
        #expect(last.errors.contains("resuming") && last.output.contains("65,000 compared"), "\(last)")
        #expect(try station.deadLetters().isEmpty)
        try station.checkAccounting()
        #expect(try station.daemon.stop() == 0)
        try sandbox.stop(.postgres)
    }

    @Test(
        "it goes back, too: partitions become a plain table again, and what is left of the first way is in the way until it is dropped"
    )
    func back() throws {
        let conversion = try Conversion(rows: 40_000)
        try conversion.station.daemon.startAndWait()
        try conversion.run()
        try conversion.want("plain")
        let refused = try conversion.run(mustSucceed: false)
        #expect(refused.status == 78 && refused.errors.contains("--drop-old"), "\(refused)")
        try conversion.run("--drop-old")
        try conversion.run("--verify")
        #expect(try conversion.value("SELECT count(*) FROM windrow.point") == 40_000)
        #expect(
            try conversion.value("SELECT (relkind = 'r')::int FROM pg_class WHERE oid = 'windrow.point'::regclass") == 1
        )
        #expect(try conversion.value("SELECT count(*) FROM partman.part_config") == 0)
        try conversion.checkNothingIsLeft()
        try conversion.run("--drop-old")
        let root = conversion.station.root
        try conversion.station.publisher.publish(
            #"{"data": [{"v": 1, "ts": "\#(stamp(0))"}], "overwrite": "update_window"}"#, on: "\(root)/1/t")
        try conversion.station.waitUntilStored([time(0): 1])
        // And forth once more.
        try conversion.want("partitions")
        try conversion.run()
        try conversion.station.publisher.publish(
            #"{"data": [{"v": 2, "ts": "\#(stamp(0))"}], "overwrite": "update_window"}"#, on: "\(root)/1/t")
        try conversion.station.waitUntilStored([time(0): 2])
        #expect(try conversion.station.deadLetters().isEmpty)
    }
}
