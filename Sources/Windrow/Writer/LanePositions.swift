import LibPQ

/// The lanes' positions in the journal, as the database keeps them.
struct LanePositions {
    let schema: Schema
    let journal: NodeUUID

    /// Where each lane continues. After a change of the number of lanes, series belong to other lanes: all of them start at the
    /// lowest position of the old ones, and what is written a second time changes nothing.
    /// - Parameter settled: all batches up to here are known to be written. A lane without work may stand far behind it, and what the
    ///   journal keeps must not be written over what others have written since.
    func load(
        lanes: Int, settled: JournalPosition = .start, _ connection: Connection
    ) throws(PostgresError) -> [JournalPosition] {
        try connection.transaction { () throws(PostgresError) in
            let stored = try stored(connection, locking: "ORDER BY lane FOR UPDATE")
            if Set(stored.keys) == Set(0..<lanes) { return (0..<lanes).map { stored[$0] ?? .start } }

            let lowest = max(stored.values.min() ?? .start, settled)
            try connection.execute(
                "DELETE FROM \(schema.qualified("progress")) WHERE journal = $1", [.uuid(UUIDBytes(journal))])
            try connection.execute(
                """
                INSERT INTO \(schema.qualified("progress")) (journal, lane, position)
                SELECT $1, lane, $3 FROM generate_series(0, $2 - 1) AS lane
                """, [.uuid(UUIDBytes(journal)), .int4(Int32(lanes)), .int8(lowest.number)])
            return Array(repeating: lowest, count: lanes)
        }
    }

    /// What the database has, by lane.
    func stored(
        _ connection: Connection, locking lock: String = ""
    ) throws(PostgresError) -> [Int: JournalPosition] {
        let rows = try connection.execute(
            "SELECT lane, position FROM \(schema.qualified("progress")) WHERE journal = $1 \(lock)",
            [.uuid(UUIDBytes(journal))])
        var stored: [Int: JournalPosition] = [:]
        for row in 0..<rows.count {
            stored[Int(try rows.int32(row, 0))] = JournalPosition(try rows.int64(row, 1))
        }
        return stored
    }

    /// Of a journal that the database does not know yet.
    func store(_ positions: [JournalPosition], _ connection: Connection) throws(PostgresError) {
        try connection.execute(
            """
            INSERT INTO \(schema.qualified("progress")) (journal, lane, position)
            SELECT $1, lane - 1, position FROM unnest($2::bigint[]) WITH ORDINALITY AS p (position, lane)
            """, [.uuid(UUIDBytes(journal)), .int8Array(positions.map(\.number))])
    }

    /// Where one lane stands; nil when the database does not know it.
    func load(lane: Int, _ connection: Connection) throws(PostgresError) -> JournalPosition? {
        let rows = try connection.execute(
            "SELECT position FROM \(schema.qualified("progress")) WHERE journal = $1 AND lane = $2 FOR UPDATE",
            [.uuid(UUIDBytes(journal)), .int4(Int32(lane))])
        return rows.count == 0 ? nil : JournalPosition(try rows.int64(0, 0))
    }
}
