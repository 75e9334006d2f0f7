import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

// How a table that grows takes points: a history of two years, in weeks, is put into it at once, and then the daemon writes points
// that are newer than all of it, and points at random times within it.
//
// What is simulated: the index over the history is made at once, and so is packed more tightly than one that has grown; and the
// largest partitioned table has ten times the weeks, all of the older ones empty.

/// A plain or partitioned table with a history, in a sandbox of its own.
final class GrowthCase {
    enum Layout: String, CaseIterable {
        case plain, partitions
    }

    let layout: Layout
    let series: Int
    private let sandbox: Sandbox
    private let drain: Drain
    private var connection: Connection
    /// Messages that were written since the table was filled.
    private var written = 0

    /// Of the history; the newest week, which takes the live points, comes after them.
    static let weeks = 104
    private static let week: Int64 = 7 * 86_400_000_000
    private static let pointsPerMessage = 100

    init(_ layout: Layout, series: Int) throws {
        self.layout = layout
        self.series = series
        sandbox = try Sandbox()
        // What is filled into a table that the transaction has made needs no write-ahead log then.
        let administrator = try Connection(sandbox.conninfo(user: "postgres"), applicationName: "windrow-bench")
        for setting in [
            "wal_level = minimal", "max_wal_senders = 0", "maintenance_work_mem = '1GB'", "shared_buffers = '1GB'",
            "max_locks_per_transaction = 256",
        ] {
            try administrator.execute("ALTER SYSTEM SET \(setting)")
        }
        try sandbox.stop(.postgres)
        try sandbox.start(.postgres)
        let workload = Workload(messages: series, pointsPerMessage: Self.pointsPerMessage, series: series)
        drain = try Drain(sandbox, workload)
        try drain.makeSeries()
        connection = try Self.connect(drain.database)
        try connection.script("TRUNCATE windrow.point")
        if layout == .partitions { try drain.partition(into: 1) }
    }

    private static func connect(_ database: String) throws -> Connection {
        try Connection(database, applicationName: "windrow-bench", statementTimeout: .seconds(7200))
    }

    // MARK: Filling

    /// Has the table hold so many rows, spread over the history, in the order of time as a daemon would have written them.
    func fill(_ rows: Int) throws {
        written = 0
        let perWeek = max(rows / series / Self.weeks, 1)
        switch layout {
        case .plain:
            try connection.script(
                """
                BEGIN;
                TRUNCATE windrow.point;
                ALTER TABLE windrow.point DROP CONSTRAINT point_pkey;
                \(history(into: "windrow.point", firstWeek: 1, weeks: Self.weeks, perWeek: perWeek));
                ALTER TABLE windrow.point ADD CONSTRAINT point_pkey PRIMARY KEY (series_id, ts);
                COMMIT
                """)
        case .partitions:
            try dropHistory()
            let (database, halves) = (drain.database, [0, 1])
            let scripts = (1...Self.weeks).map { week in
                """
                BEGIN;
                CREATE TABLE windrow.point_week\(week) (series_id integer NOT NULL, ts timestamptz NOT NULL, v double precision NOT NULL);
                \(history(into: "windrow.point_week\(week)", firstWeek: week, weeks: 1, perWeek: perWeek));
                ALTER TABLE windrow.point_week\(week) ADD PRIMARY KEY (series_id, ts);
                COMMIT
                """
            }
            try concurrently(halves) { half in
                let connection = try Self.connect(database)
                for place in stride(from: half, to: scripts.count, by: 2) { try connection.script(scripts[place]) }
            }
            for week in 1...Self.weeks {
                let (first, end) = Drain.bounds(ofWeek: week)
                try connection.script(
                    "ALTER TABLE windrow.point ATTACH PARTITION windrow.point_week\(week) FOR VALUES FROM ('\(first)') TO ('\(end)')"
                )
            }
            try connection.script("TRUNCATE windrow.point_week0")
        }
        try connection.script("VACUUM (ANALYZE) windrow.point")
    }

    /// More weeks, before the history, with nothing in them.
    func addEmptyWeeks(upTo count: Int) throws {
        for week in Self.weeks + 1..<count { try connection.script(Drain.partition(week)) }
    }

    private func dropHistory() throws {
        let rows = try connection.execute(
            """
            SELECT c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'windrow.point'::regclass AND c.relname <> 'point_week0'
            """)
        for row in 0..<rows.count { try connection.script("DROP TABLE \(try rows.text(row, 0))") }
    }

    private func history(into table: String, firstWeek: Int, weeks: Int, perWeek: Int) -> String {
        let first = Drain.bounds(ofWeek: firstWeek + weeks - 1).first
        // Whole seconds: late points come between them.
        let step = Self.week / 1_000_000 / Int64(perWeek)
        // OFFSET 0 keeps time the outer loop.
        return """
            INSERT INTO \(table)
            SELECT s.s, t.t, s.s + 0.5 FROM (
                SELECT '\(first)'::timestamptz + w * interval '7 days' + n * interval '\(step) s' AS t
                FROM generate_series(0, \(weeks - 1)) w, generate_series(0, \(perWeek - 1)) n OFFSET 0) AS t,
            LATERAL (SELECT s FROM generate_series(1, \(series)) s WHERE t.t IS NOT NULL OFFSET 0) AS s
            """
    }

    var rows: Int {
        get throws { Int(try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0)) }
    }

    /// Of table and index.
    var bytes: Int {
        get throws {
            Int(
                try connection.execute(
                    """
                    SELECT pg_total_relation_size('windrow.point') + coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint
                    FROM pg_inherits WHERE inhparent = 'windrow.point'::regclass
                    """
                ).int64(0, 0))
        }
    }

    var partitions: Int {
        get throws {
            Int(
                try connection.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'windrow.point'::regclass")
                    .int64(0, 0))
        }
    }

    // MARK: Writing

    /// Has the daemon write points.
    func write(_ messages: Int, areLate: Bool) throws -> (
        drained: Drained, walBytes: Int, postgres: Duration, bytes: Int
    ) {
        var workload = Workload(
            messages: messages, pointsPerMessage: Self.pointsPerMessage, series: series, latePercent: areLate ? 100 : 0)
        // Within the weeks that are full.
        workload.lateSpan = (Self.weeks - 1) * 7 * 86_400
        workload.before = written
        written += messages
        drain.workload = workload
        try drain.publish()
        let (log, cpu, before) = (try logPosition(), try postgresCPU(), try bytes)
        let drained = try drain.run(isAlone: false)
        return (
            drained, try logPosition() - log, try postgresCPU() - cpu, try bytes - before
        )
    }

    private func logPosition() throws -> Int {
        Int(
            try connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").int64(0, 0))
    }

    /// Of the postmaster, its children, and those that have ended.
    private func postgresCPU() throws -> Duration {
        guard let postmaster = sandbox.postgresPID else { throw FixtureError("PostgreSQL does not run") }
        let children = try Command.run("ps", ["--ppid", "\(postmaster)", "-o", "pid="]).output
            .split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
        var ticks = 0
        for (process, fields) in [(postmaster, 12...15)] + children.map({ ($0, 12...13) }) {
            guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { continue }
            let values = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
            ticks += values[fields].reduce(0) { $0 + (Int($1) ?? 0) }
        }
        return .seconds(1) * ticks / Int(sysconf(Int32(_SC_CLK_TCK)))
    }
}

extension Bench {
    /// Rows of a plain table and its index, with room for what is written on the way.
    private static let bytesPerRow = 120

    /// - Parameters:
    ///   - most: rows that are really there.
    ///   - report: is given each result at once: the case takes long.
    func growth(upTo most: Int, series: Int, report: ([Measurement]) throws -> Void) throws -> [Measurement] {
        var results: [Measurement] = []
        for layout in GrowthCase.Layout.allCases {
            let growth = try GrowthCase(layout, series: series)
            var size = 1_000_000
            while size <= most {
                guard try hasRoom(for: size) else { break }
                let start = ContinuousClock.now
                try growth.fill(size)
                say(
                    "\(layout.rawValue), \(number(Double(size), digits: 0)) rows", 0,
                    "filled in \(milliseconds(.now - start)) ms")
                results += try measure(growth, simulating: 0)
                try report(results)
                if layout == .partitions, size * 10 > most {
                    try growth.addEmptyWeeks(upTo: 10 * GrowthCase.weeks)
                    results += try measure(growth, simulating: 9 * size)
                    try report(results)
                }
                size *= 10
            }
        }
        return results
    }

    private func hasRoom(for rows: Int) throws -> Bool {
        let folder = FileManager.default.temporaryDirectory.path
        let free = try FileManager.default.attributesOfFileSystem(forPath: folder)[.systemFreeSize] as? Int ?? .max
        if free > rows * Self.bytesPerRow + 4 << 30 { return true }
        print(
            "\(number(Double(rows), digits: 0)) rows are left out: there is no room for them on the disk of \(folder)")
        return false
    }

    private func measure(_ growth: GrowthCase, simulating simulated: Int) throws -> [Measurement] {
        let (rows, bytes, partitions) = (try growth.rows, try growth.bytes, try growth.partitions)
        var runs: [Bool: [Growth]] = [:]
        for round in 1...rounds {
            for areLate in [false, true] {
                let messages = max(scaled(10_000), growth.series)
                let (drained, walBytes, postgres, grown) = try growth.write(messages, areLate: areLate)
                let points = Double(messages * 100)
                let found = Growth(
                    layout: growth.layout.rawValue, load: areLate ? "late" : "live", rows: rows, series: growth.series,
                    partitions: partitions, simulatedRows: simulated, pointsPerSecond: drained.rate,
                    flushMilliseconds: drained.flush / .milliseconds(1), walBytesPerPoint: Double(walBytes) / points,
                    daemonSecondsPerMillion: drained.cpuPerMillion,
                    postgresSecondsPerMillion: postgres / .seconds(1) / points * 1_000_000,
                    bytesPerRow: Double(bytes) / Double(rows), bytesPerNewRow: Double(grown) / points)
                say("growth", round, found.row)
                runs[areLate, default: []].append(found)
            }
        }
        return [false, true].map { areLate in
            let found = (runs[areLate] ?? []).sorted { $0.pointsPerSecond < $1.pointsPerSecond }
            let middle = found[found.count / 2]
            var result = Measurement(
                "\(number(Double(rows + simulated), digits: 0)) rows, \(growth.layout.rawValue), \(middle.load)",
                "points/s",
                [middle.pointsPerSecond])
            result.cpuSecondsPerMillion = middle.daemonSecondsPerMillion
            result.growth = middle
            return result
        }
    }
}
