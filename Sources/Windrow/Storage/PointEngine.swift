import LibPQ

/// What the table `point` is, or is to be: the configuration names one, and Windrow writes to what the database has.
public enum PointEngine: String, CaseIterable, Sendable {
    /// One plain table.
    case plain
    /// Range partitions by time, which pg_partman looks after.
    case partitions
    /// A hypertable of TimescaleDB.
    case timescaledb
    /// A table that Citus distributes by series over several servers.
    case citus

    /// Whether its rows are laid down by time, so that a statement which names the times that it touches leaves the rest alone.
    var isDividedByTime: Bool { self == .partitions || self == .timescaledb }

    /// Whether flushes keep to statements that its planner is known to take: COPY, INSERT … SELECT FROM unnest(…) ON CONFLICT, and
    /// DELETE … USING unnest(…), none of them inside another.
    var takesSimpleStatementsOnly: Bool { self == .timescaledb || self == .citus }
}

extension Schema {
    /// What a table of the schema is; nil when there is none.
    func engine(of table: String = "point", _ connection: Connection) throws(PostgresError) -> PointEngine? {
        let found = try connection.execute(
            """
            SELECT (SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1)),
                EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb'),
                EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')
            """, [.text(qualified(table))])
        if try found.isNull(0, 0) { return nil }
        if try found.bool(0, 1) {
            let isHypertable = try connection.execute(
                """
                SELECT EXISTS (
                    SELECT FROM timescaledb_information.hypertables WHERE hypertable_schema = $1 AND hypertable_name = $2)
                """, [.text(name), .text(table)])
            if try isHypertable.bool(0, 0) { return .timescaledb }
        }
        if try found.bool(0, 2) {
            let isDistributed = try connection.execute(
                "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass($1) AND partmethod = 'h')",
                [.text(qualified(table))])
            if try isDistributed.bool(0, 0) { return .citus }
        }
        return try found.bool(0, 0) ? .partitions : .plain
    }
}
