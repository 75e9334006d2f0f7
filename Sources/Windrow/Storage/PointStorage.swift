import LibPQ

/// Makes `point` what `storage` of the configuration says.
struct PointStorage {
    let storage: Configuration.Storage
    let schema: Schema

    init(_ storage: Configuration.Storage, _ schema: Schema) {
        self.storage = storage
        self.schema = schema
    }

    var wanted: PointEngine { storage.engine }

    /// Makes an empty `point` a table of the engine, with its views and privileges; one that holds points already stays as it is, and so
    /// does one with indexes, triggers and the like of somebody's own.
    /// - Returns: what `point` is then.
    /// - Throws: `PostgresError`, `StorageError`.
    func prepare(_ connection: Connection) throws -> PointEngine {
        guard let found = try schema.engine(connection) else { return wanted }
        guard found != wanted, try isEmpty(connection), try !isConverting(connection),
            try schema.obstaclesToConversion(connection).isEmpty
        else { return found }
        let table = try script(connection, table: ConversionScript.next)
        let script = ConversionScript(
            schema, to: wanted, interval: storage.interval,
            partman: try PartitionSet(schema).partman(toMake: wanted, connection))
        return try connection.transaction { () throws(PostgresError) in
            // Whoever writes a first point just now has to wait, or has written it; and another daemon may be first with this.
            try connection.script(script.lock)
            guard try schema.engine(connection) == found, try isEmpty(connection), try !isConverting(connection) else {
                return try schema.engine(connection) ?? found
            }
            try connection.script(
                """
                \(script.begin(table, expected: 0))
                \(script.swap)
                DROP TABLE \(schema.qualified(ConversionScript.old))
                """)
            return wanted
        }
    }

    private func isEmpty(_ connection: Connection) throws(PostgresError) -> Bool {
        try connection.execute("SELECT NOT EXISTS (SELECT FROM \(schema.qualified("point")))").bool(0, 0)
    }

    /// Whether a conversion is under way, or its old table is still there.
    private func isConverting(_ connection: Connection) throws(PostgresError) -> Bool {
        try connection.execute(
            "SELECT to_regclass($1) IS NOT NULL OR to_regclass($2) IS NOT NULL",
            [.text(schema.qualified(ConversionScript.course)), .text(schema.qualified(ConversionScript.old))]
        ).bool(0, 0)
    }

    /// The SQL that makes a table of the engine, empty, once its extension is there. To be run in a transaction.
    func script(_ connection: Connection, table: String = "point") throws -> String {
        let home = try Extension.of(wanted)?.require(connection)
        return script(table: table, home: home)
    }

    /// - Parameter home: the schema of the extension, quoted; where it usually is, unless given. Sessions need not look into it.
    func script(table: String = "point", at now: Timestamp = .now, home: String? = nil) -> String {
        let point = schema.qualified(table)
        let home = home ?? usualHome
        switch wanted {
        case .plain: return schema.createPoints(named: table)
        case .partitions: return PartitionSet(schema, table: table).create(storage, at: now, partman: home)
        case .timescaledb:
            let hypertable = """
                \(schema.createPoints(named: table));
                SELECT \(home).create_hypertable(
                    '\(point)', \(home).by_range('ts', INTERVAL '\(storage.interval)'), create_default_indexes => false)
                """
            return ([hypertable] + policies(table, home)).joined(separator: ";\n")
        case .citus:
            // The other tables stay on the coordinator, where a flush is one transaction, which Citus commits in two phases.
            return "\(schema.createPoints(named: table));\nSELECT create_distributed_table('\(point)', 'series_id')"
        }
    }

    /// The SQL that has TimescaleDB compress and drop old chunks.
    private func policies(_ table: String, _ home: String) -> [String] {
        let point = schema.qualified(table)
        var sql: [String] = []
        if let age = storage.compressAfter {
            sql.append(
                """
                ALTER TABLE \(point) SET (
                    timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'ts');
                SELECT \(home).add_compression_policy('\(point)', compress_after => INTERVAL '\(age)')
                """)
        }
        if let age = storage.retention {
            sql.append("SELECT \(home).add_retention_policy('\(point)', drop_after => INTERVAL '\(age)')")
        }
        return sql
    }

    /// The SQL that has `point` compressed and cut off at its age, if it was made without that; nil when there is nothing to do.
    /// - Parameter home: as of `script`.
    func policies(home: String? = nil) -> String? {
        let home = home ?? usualHome
        return switch wanted {
        case .plain, .citus: nil
        case .partitions: PartitionSet(schema).setRetention(storage, partman: home)
        case .timescaledb: policies("point", home).joined(separator: ";\n")
        }
    }

    private var usualHome: String { Extension.of(wanted)?.usualSchema ?? "" }

    /// What `windrow migrate --print` prints behind the schema itself; nil for a plain table, which that makes.
    var printed: String? {
        guard let needed = Extension.of(wanted) else { return nil }
        return """
            -- As a superuser: \(needed.creation)
            DROP VIEW \(schema.qualified("timeseries"));
            DROP TABLE \(schema.qualified("point"));
            \(script());
            \(schema.createView);
            """
    }
}
