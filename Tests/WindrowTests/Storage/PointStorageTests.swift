import LibPQ
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct PointStorageTests {
    private let fixture: WriterFixture
    private let weekly = Configuration.Storage(engine: .partitions, interval: .weeks(1))

    init() throws {
        fixture = try WriterFixture()
    }

    private func partitions() throws -> [String] {
        let rows = try fixture.connection.execute(
            """
            SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'windrow.point'::regclass ORDER BY 1
            """)
        return try (0..<rows.count).map { try rows.text($0, 0) }
    }

    @Test("an empty table becomes one with partitions from now on, and stays it")
    func prepare() throws {
        try fixture.allowPartman()
        let storage = PointStorage(weekly, fixture.schema)
        #expect(try storage.prepare(fixture.connection) == .partitions)
        #expect(try partitions().count >= PartitionSet.ahead)
        #expect(try storage.prepare(fixture.connection) == .partitions)
        #expect(try fixture.table().isEmpty)
        // Nothing else is in the way of the years that points may come for.
        #expect(try !partitions().contains("DEFAULT"))

        // pg_partman still knows one that somebody has dropped.
        try fixture.connection.script(
            "DROP VIEW windrow.timeseries; DROP TABLE windrow.point; \(fixture.schema.createPoints()); \(fixture.schema.createView)"
        )
        #expect(try storage.prepare(fixture.connection) == .partitions)
    }

    @Test("a table that holds points stays what it is")
    func notEmpty() throws {
        try fixture.allowPartman()
        try fixture.connection.script("INSERT INTO windrow.point VALUES (1, now(), 1)")
        #expect(try PointStorage(weekly, fixture.schema).prepare(fixture.connection) == .plain)
        #expect(try fixture.schema.engine(fixture.connection) == .plain)
    }

    @Test("the SQL that is printed makes what `prepare` makes, from an empty database on")
    func printed() throws {
        try fixture.allowPartman()
        let name = try Schema("printed")
        try fixture.connection.transaction { () throws(PostgresError) in
            try fixture.connection.script(name.upgrades.joined(separator: "\n"))
            try fixture.connection.script(PointStorage(weekly, name).printed ?? "")
        }
        #expect(try name.engine(fixture.connection) == .partitions)
        #expect(try PartitionSet(name).interval(fixture.connection) == .weeks(1))
        #expect(PointStorage(Configuration.Storage(), name).printed == nil)
    }

    @Test("what is printed for TimescaleDB and Citus is what their documents name")
    func printedElsewhere() throws {
        let storage = Configuration.Storage(
            engine: .timescaledb, interval: .days(1), retention: .years(2), compressAfter: .days(30))
        let hypertable = try #require(PointStorage(storage, fixture.schema).printed)
        for call in [
            "SELECT public.create_hypertable(",
            #"'"windrow".point', public.by_range('ts', INTERVAL '1 day'), create_default_indexes => false)"#,
            #"public.add_compression_policy('"windrow".point', compress_after => INTERVAL '30 days')"#,
            #"public.add_retention_policy('"windrow".point', drop_after => INTERVAL '2 years')"#,
            "timescaledb.compress_segmentby = 'series_id'",
        ] {
            #expect(hypertable.contains(call))
        }
        let distributed = try #require(PointStorage(Configuration.Storage(engine: .citus), fixture.schema).printed)
        #expect(distributed.contains(#"create_distributed_table('"windrow".point', 'series_id')"#))
    }

    @Test("an empty table becomes a hypertable wherever TimescaleDB has its functions")
    func hypertable() throws {
        try fixture.pretendTimescaleDB()
        let storage = Configuration.Storage(engine: .timescaledb, interval: .days(1), retention: .years(2))
        #expect(try PointStorage(storage, fixture.schema).prepare(fixture.connection) == .timescaledb)
        #expect(try fixture.asked() == ["retention 2 years", "ts 1 day"])
    }

    @Test("what is missing is told with the SQL that mends it")
    func obstacles() throws {
        let storage = PointStorage(weekly, fixture.schema)
        let notCreated = #expect(throws: StorageError.self) { try storage.prepare(fixture.connection) }
        #expect(
            "\(try #require(notCreated))".contains(
                "CREATE EXTENSION IF NOT EXISTS pg_partman SCHEMA partman; GRANT ALL"))
        try fixture.asSuperuser { try $0.script(Extension.partman.creation) }
        let notGranted = #expect(throws: StorageError.self) { try storage.prepare(fixture.connection) }
        #expect("\(try #require(notGranted))".contains("GRANT ALL ON SCHEMA partman TO windrow"))
        #expect(try fixture.schema.engine(fixture.connection) == .plain)
        if try !WriterFixture.hasExtension("citus") {
            let citus = PointStorage(Configuration.Storage(engine: .citus), fixture.schema)
            let missing = #expect(throws: StorageError.self) { try citus.prepare(fixture.connection) }
            #expect("\(try #require(missing))".contains("has no extension citus"))
        }
    }

    @Test("points of years that have no partition get theirs, each once, also when two sessions make them at a time")
    func farOutside() async throws {
        try fixture.allowPartman()
        _ = try PointStorage(weekly, fixture.schema).prepare(fixture.connection)
        let times = try ["1999-12-31T23:59:59Z", "2003-03-03T03:03:03Z", "2011-11-11T11:11:11Z"].map {
            try #require(Timestamp(rfc3339: $0))
        }
        let before = try partitions().count
        let (conninfo, schema) = (fixture.conninfo, fixture.schema)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let connection = try Connection(conninfo, applicationName: "windrow tests")
                    #expect(try PartitionSet(schema).make(for: times, connection))
                }
            }
            try await group.waitForAll()
        }
        #expect(try partitions().count == before + times.count)
        #expect(try partitions().contains("FOR VALUES FROM ('1999-12-27 00:00:00+00') TO ('2000-01-03 00:00:00+00')"))
    }

    @Test("a flush makes the partitions that it misses, and says so where nobody looks after them")
    func flushMakesPartitions() throws {
        try fixture.allowPartman()
        _ = try PointStorage(weekly, fixture.schema).prepare(fixture.connection)
        var catalog = fixture.catalog()
        let series = try #require(try catalog.resolve([seriesName(1)], fixture.connection).first ?? nil)
        var session = FlushSession(
            DatabaseAccess(connectionString: Secret(fixture.conninfo), schema: fixture.schema), purpose: "test",
            lane: 0,
            interruption: Interruption(), journal: { NodeUUID(high: 7, low: 7) })
        func window(_ years: ClosedRange<Int>) -> [(id: SeriesID, window: PendingWindow)] {
            var window = PendingWindow()
            let points = years.compactMap { Timestamp(rfc3339: "\($0)-05-05T00:00:00Z") }.map {
                Point(timestamp: $0, value: 1)
            }
            window.fold(.insert, points[...])
            window.settle()
            return [(series, window)]
        }
        let written = try session.write(window(1995...2020), through: JournalPosition(1)) { _, _ in }
        #expect(written.outcome.inserted == 26)
        #expect(try fixture.table()[seriesName(1)]?.count == 26)

        // A row that is refused besides does not keep them from being made.
        try fixture.connection.script("ALTER TABLE windrow.point ADD CHECK (v <> 1 OR ts <> '1985-05-05T00:00:00Z')")
        var kept: [RefusedItem] = []
        let rest = try session.write(window(1984...1986), through: JournalPosition(2)) { refused, _ in kept = refused }
        #expect(rest.outcome.inserted == 2 && kept.count == 1)

        try fixture.connection.script("DELETE FROM partman.part_config")
        let error = #expect(throws: PostgresError.self) {
            try session.write(window(1980...1980), through: JournalPosition(3)) { _, _ in }
        }
        #expect(error?.verdict == .stop)
    }

    @Test(
        "maintenance makes partitions ahead and drops what the retention has passed, whole",
        arguments: [
            (CalendarInterval.months(1), CalendarInterval.months(3), 7), (.years(1), .years(9), 1),
            (.weeks(1), .weeks(5), 5), (.days(30), .days(90), 7), (.weeks(5), .weeks(15), 7),
        ])
    func maintenance(interval: CalendarInterval, retention: CalendarInterval, dropped: Int) throws {
        try fixture.allowPartman()
        var storage = weekly
        storage.interval = interval
        _ = try PointStorage(storage, fixture.schema).prepare(fixture.connection)
        let partitions = PartitionSet(fixture.schema)
        let now = Timestamp.now
        let connection = fixture.connection
        _ = try partitions.make(for: (1...10).map { now.advanced(by: -$0, interval) }, connection)
        // Not as it is in most places.
        try connection.script("SET search_path = windrow, public; SET timezone = 'Pacific/Auckland'")
        _ = try partitions.maintain(storage, connection)
        let before = try partitions.count(connection)
        #expect(before >= 10 + 1 + PartitionSet.ahead)

        storage.retention = retention
        let outcome = try #require(try partitions.maintain(storage, connection))
        #expect(
            outcome == PartitionSet.Upkeep(dropped: dropped, retention: .init(from: nil, to: retention.description)))
        #expect(try partitions.count(connection) == before - dropped)
        // Gone, not kept aside.
        let aside = "SELECT FROM pg_class WHERE relname LIKE 'point_p%' AND relkind = 'r' AND NOT relispartition"
        #expect(try connection.execute(aside).count == 0)
        #expect(try partitions.maintain(storage, connection) == PartitionSet.Upkeep())

        // What an operator has set by hand gives way, and not in silence.
        try connection.script("UPDATE partman.part_config SET retention = '50 years'")
        storage.retention = nil
        #expect(
            try partitions.maintain(storage, connection)
                == PartitionSet.Upkeep(retention: .init(from: "50 years", to: nil)))
    }

    @Test("pg_partman's own maintenance of all tables leaves the partitions to Windrow, which knows the time zone")
    func maintenanceByOthers() throws {
        try fixture.allowPartman()
        _ = try PointStorage(weekly, fixture.schema).prepare(fixture.connection)
        let before = try partitions()
        try fixture.connection.script("DROP TABLE windrow.\(try fixture.newestPartition())")
        try fixture.connection.script("SET timezone = 'Europe/Berlin'; SELECT partman.run_maintenance()")
        #expect(try partitions().count == before.count - 1)
        #expect(try PartitionSet(fixture.schema).maintain(weekly, fixture.connection) == .init(made: 1))
        #expect(try partitions() == before)
    }

    @Test("partitions are made by pg_partman 5, too, whose function has fewer parameters")
    func versionFive() throws {
        try fixture.allowPartman()
        _ = try PointStorage(weekly, fixture.schema).prepare(fixture.connection)
        try fixture.asSuperuser {
            try $0.script(
                """
                ALTER FUNCTION partman.create_partition_time(text, timestamptz[], boolean, text) RENAME TO create_partition_time_4;
                CREATE FUNCTION partman.create_partition_time(
                    p_parent_table text, p_partition_times timestamptz[], p_start_partition text DEFAULT NULL)
                RETURNS boolean LANGUAGE sql
                AS $$ SELECT partman.create_partition_time_4(p_parent_table, p_partition_times, false, p_start_partition) $$
                """)
        }
        let before = try partitions().count
        let time = try #require(Timestamp(rfc3339: "2003-03-03T03:03:03Z"))
        #expect(try PartitionSet(fixture.schema).make(for: [time], fixture.connection))
        #expect(try partitions().count == before + 1)
    }

    @Test("an empty table changes its engine to and fro, and keeps the views and privileges of others")
    func toAndFro() throws {
        try fixture.allowPartman()
        let connection = fixture.connection
        try connection.script(
            """
            GRANT SELECT ON windrow.timeseries TO pg_monitor; GRANT INSERT ON windrow.point TO pg_monitor;
            CREATE VIEW windrow.mine AS SELECT ts FROM windrow.point
            """)
        let granted =
            "SELECT string_agg(relname || relacl::text, ' ' ORDER BY relname) FROM pg_class WHERE relacl IS NOT NULL AND relnamespace = 'windrow'::regnamespace"
        let before = try connection.execute(granted).text(0, 0)
        #expect(before.contains("point") && before.contains("timeseries"))
        for engine in [PointEngine.partitions, .plain, .partitions] {
            let storage = Configuration.Storage(engine: engine)
            #expect(try PointStorage(storage, fixture.schema).prepare(connection) == engine)
            #expect(try fixture.schema.engine(connection) == engine)
            #expect(try connection.execute(granted).text(0, 0) == before)
            #expect(try connection.execute("SELECT FROM windrow.mine").count == 0)
            let known = try connection.execute("SELECT FROM partman.part_config").count
            #expect(known == (engine == .partitions ? 1 : 0))
        }
        #expect(try connection.execute("SELECT FROM pg_class WHERE relname ~ '_next|_old|^conversion'").count == 0)
    }

    @Test("an empty table stays what it is where somebody's own index would be lost")
    func ownIndex() throws {
        try fixture.allowPartman()
        try fixture.connection.script("CREATE INDEX mine ON windrow.point (ts)")
        #expect(try PointStorage(weekly, fixture.schema).prepare(fixture.connection) == .plain)
    }

    @Test("daemons that start at a time make the partitions of an empty table once, and none fails")
    func preparedTogether() async throws {
        try fixture.allowPartman()
        let (conninfo, schema, storage) = (fixture.conninfo, fixture.schema, weekly)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let connection = try Connection(conninfo, applicationName: "windrow tests")
                    #expect(try PointStorage(storage, schema).prepare(connection) == .partitions)
                }
            }
            try await group.waitForAll()
        }
        #expect(try fixture.connection.execute("SELECT FROM partman.part_config").count == 1)
    }
}
