import Foundation
import LibPQ
import Synchronization
import Testing
import WindrowTestSupport

@testable import Windrow

/// What others do between the steps of a conversion, and to databases that are not as usual.
@Suite struct ConversionStepTests {
    @Test(
        "a table that somebody empties while it is copied is empty afterwards, but for what was written later",
        arguments: ["TRUNCATE", "DELETE FROM"])
    func emptied(how: String) throws {
        let ground = try ConversionGround(rows: 30_000)
        var isEmptied = false
        let summary = try ground.convert { report in
            guard report.phase == .copying, !isEmptied else { return }
            isEmptied = true
            try ground.writer.connection.script(
                """
                \(how) windrow.point; INSERT INTO windrow.point VALUES (1, '2022-01-01Z', 1), (21, '2022-01-01Z', 2)
                """)
        }
        #expect(isEmptied && summary?.compared == 2)
        let left = try ground.writer.connection.execute(
            "SELECT string_agg(v::text, ' ' ORDER BY series_id) FROM windrow.point")
        #expect(try left.text(0, 0) == "1 2")
    }

    @Test("a table that is emptied and filled again and again while it is copied has in the end what was written last")
    func emptiedAgainAndAgain() async throws {
        let ground = try ConversionGround(rows: 30_000)
        let conninfo = ground.writer.conninfo
        let flag = Flag()
        let other = Task.detached {
            let connection = try Connection(conninfo, applicationName: "windrow tests")
            var rounds = 0
            while !flag.isSet.load(ordering: .relaxed) {
                do throws(PostgresError) {
                    try connection.transaction { () throws(PostgresError) in
                        try connection.script(
                            """
                            \(rounds % 3 == 0 ? "DELETE FROM" : "TRUNCATE") windrow.point;
                            INSERT INTO windrow.point
                            SELECT 1 + n % 20, '2022-01-01Z'::timestamptz + n * interval '1 second', \(rounds + 1)
                            FROM generate_series(1, 20001 + \(rounds)) AS n
                            """)
                    }
                    rounds += 1
                } catch {
                    guard error.sqlState == .deadlockDetected else { throw error }
                }
            }
            return rounds
        }
        defer { flag.isSet.store(true, ordering: .relaxed) }
        _ = try ground.convert()
        flag.isSet.store(true, ordering: .relaxed)
        let rounds = try await other.value
        let left = try ground.writer.connection.execute(
            "SELECT count(*), min(v)::int, max(v)::int, (SELECT relkind = 'p' FROM pg_class WHERE oid = 'windrow.point'::regclass) FROM windrow.point"
        )
        #expect(
            try left.int64(0, 0) == Int64(20_000 + rounds) && left.int32(0, 1) == rounds && left.int32(0, 2) == rounds)
        #expect(try left.bool(0, 3))
    }

    @Test(
        "a crash of PostgreSQL that forgets the last slices has them copied again, and once all is copied it forgets nothing",
        arguments: [Conversion.Phase.copying, .comparing])
    func crash(in phase: Conversion.Phase) throws {
        let sandbox = try Sandbox()
        let ground = try ConversionGround(rows: 60_000, sandbox)
        // Nothing but a commit that waits for the disk has the log written.
        try ground.writer.asSuperuser {
            for setting in ["wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'", "bgwriter_lru_maxpages = 0"] {
                try $0.script("ALTER SYSTEM SET \(setting)")
            }
            try $0.script("SELECT pg_reload_conf()")
        }
        try waitUntil("the settings count") {
            try ground.writer.connection.execute("SHOW bgwriter_lru_maxpages").text(0, 0) == "0"
        }
        var (copied, kept) = (0, 0)
        let summary = try ground.convert { report in
            guard report.phase == phase, report.rows > 10_000, copied == 0 else { return }
            copied = report.rows
            sandbox.freezePostgres()
            try sandbox.stop(.postgres, kill: true)
            try sandbox.start(.postgres)
            kept = Int(try ground.writer.connect().execute("SELECT copied FROM windrow.conversion").int64(0, 0))
        }
        #expect(phase == .copying ? kept < copied : kept == 60_000)
        #expect(summary?.compared == 60_000)
    }

    @Test(
        "what another server lacks that has taken over just before the swap is not swapped",
        arguments: ["UPDATE windrow.conversion SET is_copied = false", "DROP TABLE windrow.conversion"])
    func failedOver(lack: String) throws {
        let ground = try ConversionGround(rows: 2000)
        var (isComparing, lacks) = (false, false)
        let conversion = try Conversion(
            ground.domain, report: { isComparing = $0.phase == .comparing },
            isInterrupted: {
                if isComparing, !lacks {
                    do { try ground.writer.connection.script(lack) } catch { Issue.record(error) }
                    lacks = true
                }
                return false
            })
        let error = #expect(throws: ConversionError.self) { try conversion.run() }
        #expect("\(try #require(error))".contains("the same command"))
        #expect(lacks)
        #expect(try ground.writer.schema.engine(ground.writer.connection) == .plain)
    }

    @Test("PostgreSQL that goes away is waited for from then on, however long the work before it took")
    func patience() throws {
        let ground = try ConversionGround(rows: 0)
        let session = ConversionSession(ground.domain, ground.writer.schema, isInterrupted: { false }, waits: { _ in })
        session.patience = .milliseconds(50)
        var tries = 0
        try session.perform { connection in
            tries += 1
            if tries > 1 { return }
            try connection.execute("SELECT pg_sleep(0.1)")
            try connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        }
        #expect(tries == 2)
    }

    @Test("who keeps the old table from being dropped is named")
    func oldIsRead() throws {
        let ground = try ConversionGround(rows: 100)
        _ = try ground.convert()
        let reader = ground.writer.connection
        try reader.script("BEGIN; SELECT count(*) FROM windrow.point_old")
        var waits: [String] = []
        let conversion = try Conversion(
            ground.domain,
            report: { report in
                guard case .waiting(let why) = report.phase else { return }
                waits.append(why)
                do { try reader.script("ROLLBACK") } catch { Issue.record(error) }
            })
        #expect(try conversion.dropOld() != nil)
        #expect(waits.count == 1 && waits[0].contains("process \(reader.backendID) of user windrow"))
    }

    @Test("a plain table becomes a hypertable, and what TimescaleDB drops for its age is settled with the swap")
    func hypertable() throws {
        var ground = try ConversionGround(rows: 2000, engine: .timescaledb)
        try ground.writer.pretendTimescaleDB()
        ground.domain.storage.retention = .years(20)
        #expect(try ground.convert()?.compared == 2000)
        #expect(try ground.writer.schema.engine(ground.writer.connection) == .timescaledb)
        #expect(try ground.writer.asked() == ["retention 20 years", "ts 7 days"])
    }

    @Test(
        "points that no partition can hold are named, and the conversion goes on when they are gone",
        arguments: ["infinity", "-infinity", "0044-03-15 BC"])
    func unfit(time: String) throws {
        let ground = try ConversionGround(rows: 100)
        try ground.writer.connection.script("INSERT INTO windrow.point VALUES (7, '\(time)', 1)")
        let error = #expect(throws: ConversionError.self) { try ground.convert() }
        #expect("\(try #require(error))".contains("series 7 at \(time.prefix(4))"))
        // Nor can others write one meanwhile.
        #expect(throws: PostgresError.self) {
            try ground.writer.connection.script("INSERT INTO windrow.point VALUES (8, '\(time)', 1)")
        }
        try ground.writer.connection.script("DELETE FROM windrow.point WHERE series_id = 7 AND v = 1")
        #expect(try ground.convert()?.compared == 100)
    }

    @Test("two that are begun at a time convert once, and both succeed")
    func twoAtOnce() async throws {
        let domain = try ConversionGround(rows: 5000).domain
        try await withThrowingTaskGroup(of: Int?.self) { group in
            for _ in 0..<2 { group.addTask { try Conversion(domain).run()?.compared } }
            var compared: [Int] = []
            for try await one in group { if let one { compared.append(one) } }
            #expect(compared == [5000])
        }
    }

    @Test("the SQL that is printed does what the command does")
    func printed() throws {
        var ground = try ConversionGround(rows: 100)
        ground.domain.storage.retention = .years(2)
        let sql = try #require(try Conversion.printed(ground.domain))
        let (copy, end) = ("-- For each slice", "-- When both have")
        let parts = try [#require(sql.range(of: copy)).lowerBound, #require(sql.range(of: end)).lowerBound]
        let connection = ground.writer.connection
        try connection.script(String(sql[..<parts[0]]))
        // All of it in one slice: whoever writes a row writes both.
        try connection.script("UPDATE windrow.point SET v = v + 1")
        try connection.script(String(sql[parts[1]...]))
        #expect(try ground.writer.schema.engine(connection) == .partitions)
        #expect(try connection.execute("SELECT FROM windrow.point").count == 100)
        #expect(
            try connection.execute("SELECT retention FROM partman.part_config").text(0, 0) == "2 years")
    }

    @Test("those who read the view all the time hold up nothing, and are not turned away")
    func readers() async throws {
        let ground = try ConversionGround(rows: 2000)
        let conninfo = ground.writer.conninfo
        let flag = Flag()
        let reader = Task.detached {
            let connection = try Connection(conninfo, applicationName: "windrow tests")
            while !flag.isSet.load(ordering: .relaxed) {
                _ = try connection.execute("SELECT count(*) FROM windrow.timeseries")
                flag.passed.add(1, ordering: .relaxed)
            }
        }
        defer { flag.isSet.store(true, ordering: .relaxed) }
        try waitUntil("the view is read") { flag.passed.load(ordering: .relaxed) > 0 }
        var waits: [String] = []
        _ = try ground.convert { if case .waiting(let why) = $0.phase { waits.append(why) } }
        flag.isSet.store(true, ordering: .relaxed)
        #expect(waits.isEmpty)
        try await reader.value
    }

    @Test(
        "names of schemas may be long, or words of SQL",
        arguments: ["order", String(repeating: "s", count: 63), String(repeating: "s", count: 50)])
    func schemaNames(name: String) throws {
        var ground = try ConversionGround(rows: 2000, schema: name)
        _ = try ground.convert()
        for engine in [PointEngine.plain, .partitions] {
            _ = try ground.conversion().dropOld()
            ground.domain.storage.engine = engine
            // Undone once.
            #expect(throws: FixtureError.self) { try ground.convert { _ in throw FixtureError("stopped") } }
            #expect(try ground.conversion().abandon())
            #expect(try ground.convert()?.compared == 2000)
            #expect(try ground.writer.schema.engine(ground.writer.connection) == engine)
        }
        #expect(try PartitionSet(ground.writer.schema).maintain(ground.domain.storage, ground.writer.connection) != nil)
        let left = try ground.writer.connection.execute(
            "SELECT FROM pg_class WHERE relname ~ '^template_' AND relkind = 'r'")
        #expect(left.count == 1)
    }

    @Test("pg_partman that others use for tables of their own is not in the way")
    func noRights() throws {
        let ground = try ConversionGround(rows: 0, engine: .plain)
        try ground.writer.asSuperuser { try $0.script("REVOKE ALL ON SCHEMA partman FROM windrow") }
        try ground.writer.connection.script(
            """
            DROP VIEW windrow.timeseries; DROP TABLE windrow.point;
            \(ground.writer.schema.createPoints(isPartitioned: true)); \(ground.writer.schema.createView);
            CREATE TABLE windrow.p PARTITION OF windrow.point FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
            INSERT INTO windrow.point VALUES (1, now(), 1)
            """)
        #expect(throws: FixtureError.self) { try ground.convert { _ in throw FixtureError("stopped") } }
        #expect(try ground.conversion().abandon())
        #expect(try ground.convert()?.compared == 1)
    }

    @Test("while partitions are converted the retention drops nothing, and their rows are expected once")
    func retention() throws {
        var ground = try ConversionGround(rows: 30_000)
        _ = try ground.convert()
        _ = try ground.conversion().dropOld()
        var storage = ground.domain.storage
        storage.retention = .months(1)
        ground.domain.storage.engine = .plain
        let partitions = PartitionSet(ground.writer.schema)
        var upkeep: [PartitionSet.Upkeep?] = []
        var expected: Int64 = 0
        let summary = try ground.convert { report in
            guard report.phase == .copying else { return }
            upkeep.append(try partitions.maintain(storage, ground.writer.connection))
            expected = try ground.writer.connection.execute("SELECT expected FROM windrow.conversion").int64(0, 0)
        }
        #expect(!upkeep.isEmpty && upkeep.allSatisfy { $0 == PartitionSet.Upkeep() })
        #expect(expected == 30_000)
        #expect(summary?.compared == 30_000)
    }

    @Test("a row that is written straight into a partition is missed, and nothing is swapped")
    func straightIntoPartition() throws {
        var ground = try ConversionGround(rows: 30_000)
        _ = try ground.convert()
        _ = try ground.conversion().dropOld()
        ground.domain.storage.engine = .plain
        let partition = try ground.writer.newestPartition()
        let error = #expect(throws: ConversionError.self) {
            try ground.convert { report in
                guard report.phase == .comparing else { return }
                try ground.writer.connection.script(
                    "INSERT INTO windrow.\(partition) SELECT 1, now() + interval '28 days', 1")
            }
        }
        #expect("\(try #require(error))".contains("differ: 30001 rows and 30000. Nothing is swapped"))
        #expect(try ground.conversion().abandon())
        #expect(try ground.convert()?.compared == 30_001)
    }

    @Test(
        "what a conversion would lose is told first: rules, statistics, row level security; and what it does not take along: settings"
    )
    func obstacles() throws {
        let ground = try ConversionGround(rows: 10)
        let connection = ground.writer.connection
        try connection.script(
            """
            ALTER TABLE windrow.point SET (autovacuum_vacuum_scale_factor = 0.01); ALTER TABLE windrow.point ENABLE ROW LEVEL SECURITY;
            CREATE STATISTICS windrow.mine ON series_id, ts FROM windrow.point;
            CREATE RULE mine AS ON DELETE TO windrow.progress DO ALSO DELETE FROM windrow.point WHERE v = -1
            """)
        #expect(
            try ground.writer.schema.obstaclesToConversion(connection) == [
                "rule on progress", "statistics mine", "row level security",
            ])
        try connection.script(
            """
            DROP RULE mine ON windrow.progress; DROP STATISTICS windrow.mine;
            ALTER TABLE windrow.point DISABLE ROW LEVEL SECURITY
            """)
        var notices: [String] = []
        _ = try Conversion(ground.domain, notice: { notices.append($0) }).run()
        #expect(
            notices.contains { $0.contains("do not go along") && $0.hasSuffix(": autovacuum_vacuum_scale_factor=0.01") }
        )
    }
}

private final class Flag: Sendable {
    let isSet = Atomic(false)
    let passed = Atomic(0)
}

/// Points that are to be converted, in a database of their own.
struct ConversionGround {
    let writer: WriterFixture
    var domain: Configuration.Domain

    /// - Parameter rows: points of 20 series, a minute apart.
    init(rows: Int, _ sandbox: Sandbox = .shared, schema: String = "windrow", engine: PointEngine = .partitions) throws
    {
        writer = try WriterFixture(sandbox, schema: schema)
        try writer.allowPartman()
        domain = Configuration.Domain(
            name: "demo", postgres: Secret(writer.conninfo), schema: schema,
            storage: Configuration.Storage(engine: engine),
            brokers: [])
        try writer.connection.script(
            """
            INSERT INTO \(writer.schema.qualified("point"))
            SELECT 1 + n % 20, '2022-01-01Z'::timestamptz + n / 20 * interval '1 minute', n
            FROM generate_series(0, \(rows) - 1) AS n
            """)
    }

    /// - Parameter report: is told what is going on; when it throws, the conversion ends there.
    func convert(_ report: @escaping (Conversion.Report) throws -> Void = { _ in }) throws -> Conversion.Summary? {
        var failure: (any Error)?
        let conversion = try Conversion(
            domain,
            report: {
                do { if failure == nil { try report($0) } } catch { failure = error }
            }, isInterrupted: { failure != nil })
        do {
            return try conversion.run()
        } catch {
            throw failure ?? error
        }
    }

    func conversion() throws -> Conversion { try Conversion(domain) }
}
