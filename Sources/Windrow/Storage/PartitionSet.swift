import LibPQ

// Range partitions by time, made by pg_partman (4.7 and 5): what Windrow makes, an operator's own calls of pg_partman go on with.
// Its background worker leaves them alone: in a time zone with summer time it would make some that are an hour off.
//
// There is no default partition: rows in it would be in the way of the partition that they belong to. Partitions are made ahead of
// need, and those of points far outside when such points come.

/// The partitions of a table of points.
struct PartitionSet {
    let schema: Schema
    let table: String

    /// Partitions ahead of now.
    static let ahead = 4
    /// Partitions that are made in one transaction.
    private static let batchSize = 16

    init(_ schema: Schema, table: String = "point") {
        self.schema = schema
        self.table = table
    }

    /// As pg_partman calls the table: without quotes.
    private var parent: String { "'\(schema.name).\(table)'" }

    /// Makes the table, empty, with partitions from `now` on. To be run in a transaction. What pg_partman knows of an earlier table of
    /// the name is forgotten.
    /// - Parameter partman: the schema of pg_partman.
    func create(_ storage: Configuration.Storage, at now: Timestamp, partman: String) -> String {
        """
        \(schema.createPoints(named: table, isPartitioned: true));
        SET LOCAL timezone = 'UTC';
        DELETE FROM \(partman).part_config WHERE parent_table = \(parent);
        SELECT \(partman).create_parent(
            p_parent_table => \(parent), p_control => 'ts', p_interval => '\(storage.interval)',
            p_type => (SELECT CASE WHEN extversion LIKE '4.%' THEN 'native' ELSE 'range' END
                FROM pg_extension WHERE extname = 'pg_partman'),
            p_premake => \(Self.ahead), p_start_partition => '\(now.start(ofEach: storage.interval))',
            p_date_trunc_interval => 'hour', p_automatic_maintenance => 'off', p_jobmon => false);
        DROP TABLE IF EXISTS \(schema.qualified(table + "_default"));
        UPDATE \(partman).part_config
        SET infinite_time_partitions = true, retention_keep_table = false, retention_keep_index = false
        WHERE parent_table = \(parent);
        \(setRetention(storage, partman: partman))
        """
    }

    func setRetention(_ storage: Configuration.Storage, partman: String) -> String {
        let retention = storage.retention.map { "'\($0)'" } ?? "NULL"
        return "UPDATE \(partman).part_config SET retention = \(retention) WHERE parent_table = \(parent)"
    }

    /// Has pg_partman keep what the configuration says, unless a conversion is under way, which nothing must be dropped in.
    /// - Returns: what it had before, if that was something else.
    private func keepRetention(
        _ storage: Configuration.Storage, partman: String, _ connection: Connection
    ) throws(PostgresError) -> RetentionChange? {
        let configured = storage.retention?.description
        let rows = try connection.execute(
            """
            UPDATE \(partman).part_config c SET retention = $1
            FROM (SELECT retention FROM \(partman).part_config WHERE parent_table = \(parent) FOR UPDATE) was
            WHERE c.parent_table = \(parent) AND c.retention IS DISTINCT FROM $1 AND to_regclass($2) IS NULL
            RETURNING was.retention
            """,
            [configured.map(Parameter.text) ?? .null, .text(schema.qualified(ConversionScript.course))])
        return rows.count == 0 ? nil : RetentionChange(from: try rows.optionalText(0, 0), to: configured)
    }

    /// Makes the partitions for the times that have none, each batch in a transaction of its own.
    /// - Returns: false when pg_partman does not look after the table.
    func make(for times: some Sequence<Timestamp>, _ connection: Connection) throws(PostgresError) -> Bool {
        guard let partman = try Extension.partman.schema(connection), let interval = try interval(partman, connection)
        else { return false }
        // Some of version 5 no longer have it, and analyze nothing.
        let analyzes = try connection.execute(
            """
            SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'create_partition_time' AND 'p_analyze' = ANY (proargnames)
                AND pronamespace = $1::regnamespace)
            """, [.text(partman)]
        ).bool(0, 0)
        let starts = Set(times.map { $0.start(ofEach: interval) }).sorted()
        var rest = starts[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Self.batchSize)
            rest = rest.dropFirst(Self.batchSize)
            try connection.transaction { () throws(PostgresError) in
                try connection.script("SET LOCAL timezone = 'UTC'")
                // Two that make the same partition would be in each other's way.
                try connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                    [.text("windrow partitions \(schema.name).\(table)")])
                try connection.execute(
                    "SELECT \(partman).create_partition_time(\(parent), $1\(analyzes ? ", p_analyze => false" : ""))",
                    [.timestamptzArray(batch.map(\.microseconds))])
            }
        }
        return true
    }

    /// The retention that pg_partman had and has; nil for none.
    struct RetentionChange: Equatable {
        var from: String?
        var to: String?
    }

    /// What was done to look after the partitions.
    struct Upkeep: Equatable {
        /// Partitions that came and went.
        var made = 0
        var dropped = 0
        var retention: RetentionChange?
    }

    /// Makes partitions ahead of need, and drops those that the retention has passed.
    /// - Returns: nil when pg_partman does not look after the table.
    func maintain(
        _ storage: Configuration.Storage, _ connection: Connection
    ) throws(PostgresError) -> Upkeep? {
        guard let partman = try Extension.partman.schema(connection), let interval = try interval(partman, connection)
        else { return nil }
        let before = try partitions(connection)
        let now = Timestamp.now
        _ = try make(for: (0...Self.ahead).map { now.advanced(by: $0, interval) }, connection)
        try connection.script("SET timezone = 'UTC'")
        let retention = try keepRetention(storage, partman: partman, connection)
        try connection.execute(
            "SELECT \(partman).run_maintenance(\(parent), p_analyze => false, p_jobmon => false)")
        let after = try partitions(connection)
        return Upkeep(
            made: after.subtracting(before).count, dropped: before.subtracting(after).count, retention: retention)
    }

    func count(_ connection: Connection) throws(PostgresError) -> Int { try partitions(connection).count }

    /// The schema of pg_partman where making the table what it is to be has to do with that: where it looks after the table, or will.
    /// Others may use it for tables of their own, and let this user see nothing of it.
    func partman(toMake engine: PointEngine, _ connection: Connection) throws(PostgresError) -> String? {
        guard let partman = try Extension.partman.schema(connection) else { return nil }
        if engine == .partitions { return partman }
        let mayLook = try connection.execute(
            """
            SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
            FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
            WHERE n.oid = $1::regnamespace AND c.relname = 'part_config'
            """, [.text(partman)])
        guard mayLook.count > 0, try mayLook.bool(0, 0) else { return nil }
        let found = try connection.execute("SELECT FROM \(partman).part_config WHERE parent_table = \(parent)")
        return found.count > 0 ? partman : nil
    }

    /// By name.
    private func partitions(_ connection: Connection) throws(PostgresError) -> Set<String> {
        let rows = try connection.execute(
            """
            SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = to_regclass($1)
            """, [.text(schema.qualified(table))])
        var names: Set<String> = []
        for row in 0..<rows.count { names.insert(try rows.text(row, 0)) }
        return names
    }

    /// As pg_partman has it; nil when it does not look after the table.
    func interval(_ connection: Connection) throws(PostgresError) -> CalendarInterval? {
        guard let partman = try Extension.partman.schema(connection) else { return nil }
        return try interval(partman, connection)
    }

    private func interval(_ partman: String, _ connection: Connection) throws(PostgresError) -> CalendarInterval? {
        let rows = try connection.execute(
            """
            SELECT (extract(year FROM i) * 12 + extract(month FROM i))::integer, (extract(epoch FROM
                make_interval(days => extract(day FROM i)::integer, hours => extract(hour FROM i)::integer)) / 3600)::integer
            FROM (SELECT partition_interval::interval AS i FROM \(partman).part_config WHERE parent_table = \(parent)) AS p
            """)
        guard rows.count > 0 else { return nil }
        let (months, hours) = (Int(try rows.int32(0, 0)), Int(try rows.int32(0, 1)))
        if months > 0, hours == 0 { return .months(months) }
        return months == 0 && hours > 0 ? .hours(hours) : nil
    }
}
