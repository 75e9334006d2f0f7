import LibPQ

/// What became of a flush's points, and how many stored ones its ranges deleted.
struct FlushOutcome: Equatable, Sendable {
    /// A deleted range, for the log.
    struct Deletion: Equatable, Sendable {
        var series: SeriesID
        var range: TimeRange
        var deleted: Int
    }

    /// Stored where the series had nothing at that timestamp.
    var inserted = 0
    /// Stored over another value.
    var updated = 0
    /// Not stored: an insert yielded to a stored point, or an update found the same value there.
    var kept = 0
    /// Folded away by a later pending edit.
    var superseded = 0
    /// Refused by PostgreSQL for its content.
    var refused = 0
    var deletions: [Deletion] = []
    /// Points that went by COPY.
    var copied = 0
    /// COPY met a point of another writer, and everything was merged instead.
    var wasMergedWhole = false
}

/// The statements of one flush: one transaction that writes a lane's pending windows and the lane's position in the journal.
///
/// A crash before COMMIT leaves nothing of it; after it, all, with the position that keeps it from being done again.
struct Flush {
    private let lockSeries: String
    private let deleteRanges: String
    private let copyPoints: String
    private let updateStored: String
    private let findStored: String
    private let mergeDefinite: String
    private let mergeTentative: String
    private let setPosition: String
    private let findNewest: String
    let engine: PointEngine
    private let point: String
    private let journal: UUIDBytes
    private let lane: Int32

    init(schema: Schema, journal: NodeUUID, lane: Int, engine: PointEngine) {
        let point = schema.qualified("point")
        self.engine = engine
        self.point = point
        self.journal = UUIDBytes(journal)
        self.lane = Int32(lane)
        // Two daemons may replace windows of one series at the same moment. Neither's DELETE would see the points that the other has not
        // committed yet, and the points of both would stay.
        lockSeries = """
            SELECT FROM \(schema.qualified("series")) WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE
            """
        // The planner leaves out the partitions that a statement names no time of, however many there are.
        func within(_ first: String, _ last: String) -> String {
            engine.isDividedByTime ? " AND p.ts BETWEEN \(first) AND \(last)" : ""
        }
        let isSimple = engine.takesSimpleStatementsOnly
        let delete = """
            DELETE FROM \(point) p
            USING unnest($1::integer[], $2::timestamptz[], $3::timestamptz[])
                \(isSimple ? "AS r (series_id, first, last)" : "WITH ORDINALITY AS r (series_id, first, last, place)")
            WHERE p.series_id = r.series_id AND p.ts BETWEEN r.first AND r.last\(within("$4", "$5"))
            """
        deleteRanges =
            isSimple
            ? "\(delete) RETURNING p.series_id, p.ts"
            : "WITH gone AS (\(delete) RETURNING r.place) SELECT place, count(*) FROM gone GROUP BY place"
        copyPoints = "COPY \(point) (series_id, ts, v) FROM STDIN (FORMAT binary)"
        let columns = "unnest($1::integer[], $2::timestamptz[], $3::double precision[])"
        // A row that has the value already is left alone, here and below: rewriting it would only bloat the table, and gateways do
        // send things twice.
        updateStored = """
            UPDATE \(point) p SET v = w.v FROM \(columns) WITH ORDINALITY AS w (series_id, ts, v, place)
            WHERE p.series_id = w.series_id AND p.ts = w.ts AND p.v IS DISTINCT FROM w.v\(within("$4", "$5"))
            RETURNING w.place
            """
        // A row that another writer is deleting is none to yield to; one that is found stays until this commits. Each key is looked up by
        // itself: a planner with stale statistics must not begin with the table.
        findStored = """
            SELECT w.place FROM unnest($1::integer[], $2::timestamptz[]) WITH ORDINALITY AS w (series_id, ts, place)
            CROSS JOIN LATERAL (
                SELECT FROM \(point) p
                WHERE p.series_id = w.series_id AND p.ts = w.ts\(within("$3", "$4")) FOR KEY SHARE) AS p
            """
        let insert = """
            INSERT INTO \(point) AS p (series_id, ts, v)
            SELECT series_id, ts, v FROM \(columns) AS w (series_id, ts, v)
            ON CONFLICT (series_id, ts)
            """
        // Answers how many rows were inserted, and how many were written at all: xmax is 0 in a row that was inserted, not updated.
        // Where there is no xmax, what is missing is inserted first.
        let update = "\(insert) DO UPDATE SET v = excluded.v WHERE p.v IS DISTINCT FROM excluded.v"
        mergeDefinite =
            engine == .plain
            ? """
            WITH merged AS (\(update) RETURNING p.xmax = 0 AS inserted)
            SELECT count(*) FILTER (WHERE inserted), count(*) FROM merged
            """
            : update
        mergeTentative = "\(insert) DO NOTHING"
        setPosition = """
            INSERT INTO \(schema.qualified("progress")) (journal, lane, position) VALUES ($1, $2, $3)
            ON CONFLICT (journal, lane) DO UPDATE SET position = excluded.position
            WHERE progress.position < excluded.position
            """
        findNewest =
            switch engine {
            case .plain:
                """
                SELECT w.series_id, p.ts FROM unnest($1::integer[]) AS w (series_id)
                CROSS JOIN LATERAL (SELECT ts FROM \(point) WHERE series_id = w.series_id ORDER BY ts DESC LIMIT 1) p
                """
            case .partitions, .timescaledb:
                """
                SELECT w.series_id, p.ts FROM unnest($1::integer[], $2::timestamptz[]) AS w (series_id, first)
                CROSS JOIN LATERAL (
                    SELECT ts FROM \(point) WHERE series_id = w.series_id AND ts >= w.first AND ts >= $3
                    ORDER BY ts DESC LIMIT 1) p
                """
            case .citus:
                """
                SELECT p.series_id, max(p.ts) FROM \(point) p
                JOIN unnest($1::integer[], $2::timestamptz[]) AS w (series_id, first)
                    ON p.series_id = w.series_id AND p.ts >= w.first
                GROUP BY p.series_id
                """
            }
    }

    /// Asks for the newest stored point of each series. Where `point` is more than one table, only those from the window's first
    /// point on count: the others cannot be in its way, and there may be many tables of them.
    func newest(
        _ windows: [(id: SeriesID, window: PendingWindow)], _ connection: Connection
    ) throws(PostgresError) -> [SeriesID: Newest] {
        var newest: [SeriesID: Newest] = [:]
        let series = windows.map(\.id.number)
        let rows: Rows
        if engine == .plain {
            for (id, _) in windows { newest[id] = .empty }
            rows = try connection.execute(findNewest, [.int4Array(series)])
        } else {
            let first = windows.map { $0.window.points.first?.timestamp ?? .latest }
            for (place, (id, _)) in windows.enumerated() {
                newest[id] = .at(Timestamp(microseconds: first[place].microseconds - 1))
            }
            var parameters: [Parameter] = [.int4Array(series), .timestamptzArray(first.map(\.microseconds))]
            if engine.isDividedByTime { parameters.append(.timestamptz((first.min() ?? .latest).microseconds)) }
            rows = try connection.execute(findNewest, parameters)
        }
        for row in 0..<rows.count {
            newest[SeriesID(try rows.int32(row, 0))] = .at(Timestamp(microseconds: try rows.timestamp(row, 1)))
        }
        return newest
    }

    /// Writes the windows and the position. When it returns they are committed. When it throws because the connection broke, they
    /// may be committed all the same: the position in the database tells.
    /// - Parameters:
    ///   - expectsUpdates: whether most points that overwrite are thought to find another value. Only speed depends on it.
    ///   - beforeCommit: is told the outcome just before COMMIT is sent.
    func run(
        _ windows: [(id: SeriesID, window: PendingWindow)], newest: [SeriesID: Newest], expectsUpdates: Bool,
        through position: JournalPosition, on connection: Connection, beforeCommit: (FlushOutcome) -> Void
    ) throws(PostgresError) -> FlushOutcome {
        do {
            return try run(
                FlushPlan(windows, newest: newest), windows, position, connection,
                sortOut: { plan, outcome throws(PostgresError) in
                    if expectsUpdates { try updateStored(&plan, &outcome, connection) }
                    try findStored(&plan, &outcome, connection)
                }, beforeCommit)
        } catch  where error.sqlState == .uniqueViolation && error.operation == .copy {
            var outcome = try run(
                FlushPlan(windows, newest: nil), windows, position, connection, sortOut: { _, _ in }, beforeCommit)
            outcome.wasMergedWhole = true
            return outcome
        }
    }

    private func run(
        _ plan: consuming FlushPlan, _ windows: [(id: SeriesID, window: PendingWindow)], _ position: JournalPosition,
        _ connection: Connection, sortOut: (inout FlushPlan, inout FlushOutcome) throws(PostgresError) -> Void,
        _ beforeCommit: (FlushOutcome) -> Void
    ) throws(PostgresError) -> FlushOutcome {
        var outcome = FlushOutcome()
        for (_, window) in windows { outcome.superseded += window.receivedCount - window.points.count }
        var plan = plan
        try connection.transaction { () throws(PostgresError) in
            try lock(plan.deletes.series, connection)
            outcome.deletions = try delete(plan.deletes, connection)
            try sortOut(&plan, &outcome)
            if plan.copy.rowCount > 0 {
                outcome.copied = try connection.copy(copyPoints, from: plan.copy)
                outcome.inserted += outcome.copied
            }
            try merge(definite: plan.definite, tentative: plan.tentative, into: &outcome, connection)
            FaultPoint.flushInTransaction.pass()
            try advance(to: position, connection)
            beforeCommit(outcome)
            FaultPoint.flushBeforeCommit.pass()
        }
        FaultPoint.flushAfterCommit.pass()
        return outcome
    }

    /// Updates rows that have another value than the plan: cheaper than a merge, if there is such a row for most points.
    private func updateStored(
        _ plan: inout FlushPlan, _ outcome: inout FlushOutcome, _ connection: Connection
    ) throws(PostgresError) {
        guard let bounds = boundsToFind(plan.definite) else { return }
        let updated = try connection.execute(updateStored, plan.definite.parameters + bounds)
        outcome.updated += updated.count
        plan.removeDefinite(at: try places(updated))
    }

    /// Looks for the points that would yield: what is not there is copied.
    private func findStored(
        _ plan: inout FlushPlan, _ outcome: inout FlushOutcome, _ connection: Connection
    ) throws(PostgresError) {
        guard let bounds = boundsToFind(plan.tentative) else { return }
        let found = try connection.execute(findStored, plan.tentative.keys + bounds)
        outcome.kept += found.count
        plan.copyTentative(exceptAt: try places(found))
    }

    /// The `bounds` of rows that are looked for before they are merged; nil where that is not quicker than to merge them all: where each
    /// is looked for in many partitions, while a merge goes straight to the right one.
    private func boundsToFind(_ columns: FlushPlan.Columns) -> [Parameter]? {
        if columns.isEmpty { return nil }
        switch engine {
        case .plain: return []
        case .partitions:
            guard let first = columns.timestamps.min(), let last = columns.timestamps.max(),
                last - first <= Self.fewPartitions
            else { return nil }
            return [.timestamptz(first), .timestamptz(last)]
        case .timescaledb, .citus: return nil
        }
    }

    /// In microseconds. What lies within it is in one partition or two, as most are made.
    private static let fewPartitions: Int64 = 2 * 86_400_000_000

    /// The first and last of the times that a statement touches, where that tells the planner something.
    private func bounds(_ ranges: FlushPlan.Ranges) -> [Parameter] {
        guard engine.isDividedByTime, let first = ranges.first.min(), let last = ranges.last.max() else { return [] }
        return [.timestamptz(first), .timestamptz(last)]
    }

    /// Indices from places, which SQL counts from 1.
    private func places(_ rows: Rows) throws(PostgresError) -> [Int] {
        var places: [Int] = []
        places.reserveCapacity(rows.count)
        for row in 0..<rows.count { places.append(Int(try rows.int64(row, 0)) - 1) }
        return places
    }

    func merge(
        definite: FlushPlan.Columns, tentative: FlushPlan.Columns, into outcome: inout FlushOutcome,
        _ connection: Connection
    ) throws(PostgresError) {
        if !definite.isEmpty, engine != .plain {
            // What is inserted has the value already when it is updated.
            let inserted = try connection.execute(mergeTentative, definite.parameters).affected
            let updated = try connection.execute(mergeDefinite, definite.parameters).affected
            outcome.inserted += inserted
            outcome.updated += updated
            outcome.kept += definite.series.count - inserted - updated
        } else if !definite.isEmpty {
            let rows = try connection.execute(mergeDefinite, definite.parameters)
            let (inserted, stored) = (Int(try rows.int64(0, 0)), Int(try rows.int64(0, 1)))
            outcome.inserted += inserted
            outcome.updated += stored - inserted
            outcome.kept += definite.series.count - stored
        }
        if !tentative.isEmpty {
            let inserted = try connection.execute(mergeTentative, tentative.parameters).affected
            outcome.inserted += inserted
            outcome.kept += tentative.series.count - inserted
        }
    }

    /// What the operator can do where PostgreSQL says nothing of it.
    func hint(for error: PostgresError) -> String? {
        guard engine == .timescaledb, error.verdict == .stop else { return nil }
        return
            "if a compressed chunk is in the way, decompress it: SELECT decompress_chunk(c, true) FROM show_chunks('\(point)') c; "
            + "the points wait, and are written then"
    }

    func advance(to position: JournalPosition, _ connection: Connection) throws(PostgresError) {
        let moved = try connection.execute(setPosition, [.uuid(journal), .int4(lane), .int8(position.number)])
        guard moved.affected == 1 else {
            throw PostgresError(
                operation: .execute, kind: .usage,
                message: "the database has a later position of this journal's lane \(lane)",
                hint: "Does another daemon run with a copy of this journal? Stop one of them and restart the other.")
        }
    }

    /// Waits until no other transaction replaces windows of these series. Comes before anything else in its transaction: so who waits
    /// holds up nobody, and what the one before has committed is seen.
    func lock(_ series: [Int32], _ connection: Connection) throws(PostgresError) {
        if series.isEmpty { return }
        try connection.execute(lockSeries, [.int4Array(series)])
    }

    func delete(_ ranges: FlushPlan.Ranges, _ connection: Connection) throws(PostgresError) -> [FlushOutcome.Deletion] {
        if ranges.series.isEmpty { return [] }
        let rows = try connection.execute(
            deleteRanges,
            [.int4Array(ranges.series), .timestamptzArray(ranges.first), .timestamptzArray(ranges.last)]
                + bounds(ranges))
        var deletions = ranges.series.indices.map { place in
            FlushOutcome.Deletion(
                series: SeriesID(ranges.series[place]),
                range: TimeRange(
                    first: Timestamp(microseconds: ranges.first[place]),
                    last: Timestamp(microseconds: ranges.last[place])),
                deleted: 0)
        }
        if engine.takesSimpleStatementsOnly {
            for row in 0..<rows.count {
                let series = SeriesID(try rows.int32(row, 0))
                let timestamp = Timestamp(microseconds: try rows.timestamp(row, 1))
                // A series' ranges are disjoint, and all are in order.
                let place = deletions.partitioningIndex { ($0.series, $0.range.last) >= (series, timestamp) }
                deletions[place].deleted += 1
            }
        } else {
            for row in 0..<rows.count {
                deletions[Int(try rows.int64(row, 0)) - 1].deleted = Int(try rows.int64(row, 1))
            }
        }
        return deletions
    }
}
