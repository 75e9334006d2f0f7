import LibPQ

extension Conversion {
    /// Compares the two tables as they are at one moment.
    /// - Returns: how many rows both have.
    func compare() throws -> Int {
        try session.perform { connection in
            // A connection that broke may have ended up at a server that lacks the last slices.
            guard try loadCourse(connection).isCopied else { throw ConversionError.isGone }
            return try options.verifies ? compareRows(connection) : compareNumbers(connection)
        }
    }

    private var tables: [String] { ["point", ConversionScript.next].map(schema.qualified) }

    private func compareNumbers(_ connection: Connection) throws -> Int {
        let (point, next) = try connection.transaction { () throws(PostgresError) in
            // Every row is read, so in whatever way is fastest.
            try connection.script("SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on")
            let rows = try connection.execute(
                "SELECT (SELECT count(*) FROM \(tables[0])), (SELECT count(*) FROM \(tables[1]))")
            return (Int(try rows.int64(0, 0)), Int(try rows.int64(0, 1)))
        }
        guard point == next else { throw ConversionError.differs("\(point) rows and \(next)") }
        return point
    }

    /// Number and checksum of the rows, for some series after the other.
    private func compareRows(_ connection: Connection) throws -> Int {
        try connection.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        do {
            let compared = try compareSeries(connection)
            try connection.script("COMMIT")
            return compared
        } catch {
            // The snapshot goes with the connection.
            session.close()
            throw error
        }
    }

    private static let seriesAtOnce: Int64 = 64

    private func compareSeries(_ connection: Connection) throws -> Int {
        var compared = 0
        var first = Int64(Int32.min)
        while true {
            if isInterrupted() { throw ConversionError.interrupted }
            let lowest = try connection.execute(
                """
                SELECT least((SELECT min(series_id) FROM \(tables[0]) WHERE series_id >= $1),
                    (SELECT min(series_id) FROM \(tables[1]) WHERE series_id >= $1))::bigint
                """, [.int8(first)])
            if try lowest.isNull(0, 0) { return compared }
            first = try lowest.int64(0, 0)
            let sums = tables.map {
                """
                SELECT series_id, count(*) AS count, sum(hashtextextended(p::text, 0)) AS sum FROM \($0) p
                WHERE series_id >= $1 AND series_id < $2 GROUP BY series_id
                """
            }
            let rows = try connection.execute(
                """
                SELECT coalesce(sum(a.count), 0)::bigint, min(series_id) FILTER (WHERE a.count IS DISTINCT FROM b.count
                    OR a.sum IS DISTINCT FROM b.sum)
                FROM (\(sums[0])) a FULL JOIN (\(sums[1])) b USING (series_id)
                """, [.int8(first), .int8(first + Self.seriesAtOnce)])
            if let series = try rows.optionalInt32(0, 1) {
                throw ConversionError.differs("in series \(series), and perhaps others")
            }
            compared += Int(try rows.int64(0, 0))
            report(Report(phase: .comparing, share: nil, rows: compared))
            first += Self.seriesAtOnce
        }
    }
}

extension Schema {
    /// What there is about `point` that another table in its place would not have.
    func obstaclesToConversion(_ connection: Connection) throws(PostgresError) -> [String] {
        let rows = try connection.execute(
            """
            WITH p AS (SELECT to_regclass($1)::oid AS oid),
            dependents AS (
                SELECT DISTINCT c.oid, c.relkind, c.relowner, c.relnamespace FROM p JOIN pg_depend d ON d.refobjid = p.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_rewrite'::regclass
                JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class WHERE c.oid <> p.oid)
            SELECT 'column ' || attname FROM pg_attribute, p
                WHERE attrelid = p.oid AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('series_id', 'ts', 'v')
            UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger, p WHERE tgrelid = p.oid AND NOT tgisinternal
            UNION ALL SELECT 'index ' || indexrelid::regclass FROM pg_index, p WHERE indrelid = p.oid AND NOT indisprimary
                AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
            UNION ALL SELECT 'constraint ' || conname || ' of ' || conrelid::regclass FROM pg_constraint, p
                WHERE conrelid = p.oid AND contype <> 'p' AND contype <> 'n' OR confrelid = p.oid
            UNION ALL SELECT 'policy ' || polname FROM pg_policy, p WHERE polrelid = p.oid
            UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite, p WHERE ev_class = p.oid
            UNION ALL SELECT 'rule on ' || oid::regclass FROM dependents WHERE relkind NOT IN ('v', 'm')
            UNION ALL SELECT 'publication ' || pubname FROM pg_publication_rel r JOIN pg_publication b ON b.oid = r.prpubid, p
                WHERE prrelid = p.oid
            UNION ALL SELECT 'function ' || d.objid::regprocedure FROM pg_depend d, p
                WHERE d.refobjid = p.oid AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_proc'::regclass
            UNION ALL SELECT 'materialized view ' || oid::regclass FROM dependents WHERE relkind = 'm'
            UNION ALL SELECT 'view ' || oid::regclass || ' of ' || relowner::regrole FROM dependents
                WHERE relkind = 'v' AND NOT pg_has_role(relowner, 'USAGE')
            UNION ALL SELECT 'view ' || oid::regclass || ' (grant create on schema ' || relnamespace::regnamespace || ', to convert it)'
                FROM dependents WHERE relkind = 'v' AND NOT has_schema_privilege(relnamespace, 'CREATE')
            UNION ALL SELECT 'statistics ' || stxname FROM pg_statistic_ext, p WHERE stxrelid = p.oid
            UNION ALL SELECT 'row level security' FROM pg_class c, p WHERE c.oid = p.oid AND relrowsecurity
            UNION ALL SELECT 'owner ' || relowner::regrole || ' (be that user to convert it)' FROM pg_class c, p
                WHERE c.oid = p.oid AND relowner <> current_user::regrole
            """, [.text(qualified("point"))])
        var obstacles: [String] = []
        for row in 0..<rows.count { obstacles.append(try rows.text(row, 0)) }
        return obstacles
    }
}
