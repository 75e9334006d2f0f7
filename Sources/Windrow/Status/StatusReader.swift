import LibPQ
import Logging

/// Asks PostgreSQL for what the status page shows of it, one question at a time, on a connection and thread of its own: a page that
/// somebody looks at holds up neither flushes nor clients.
actor StatusReader {
    struct Found: Sendable {
        var id: SeriesID
        var name: SeriesName
        /// The newest point, if it has one.
        var newest: Point?
    }

    /// The points of a stretch of time, told as their extremes and mean.
    struct Bucket: Equatable, Sendable {
        var first: Timestamp
        var last: Timestamp
        var count: Int
        var least: Double
        var greatest: Double
        var mean: Double
    }

    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Nobody waits longer for a picture.
    static let statementTimeout = Duration.seconds(5)
    /// Names that are remembered, of some 100 bytes each.
    private static let mostNames = 5000

    private let schema: Schema
    private var session: ReadSession
    private var names: [SeriesID: SeriesName] = [:]

    init(domain: String, database: DatabaseAccess, log: Logger) {
        executor = ThreadExecutor(name: "status \(domain)")
        schema = database.schema
        var database = database
        database.statementTimeout = Self.statementTimeout
        session = ReadSession(database, purpose: "status page", log: log)
    }

    func close() {
        session.close()
    }

    /// How the series are named; those that are not there any more are missing.
    func names(of series: [SeriesID]) throws(PostgresError) -> [SeriesID: SeriesName] {
        let missing = Set(series).filter { names[$0] == nil }
        if !missing.isEmpty {
            let found = try session.read { connection throws(PostgresError) in
                try Catalog.names(of: missing, schema, connection)
            }
            if names.count + found.count > Self.mostNames { names = names.filter { series.contains($0.key) } }
            names.merge(found) { $1 }
        }
        return names
    }

    /// Series by the order of their names, those that were not written since the start too.
    func find(_ search: SeriesSearch, limit: Int) throws(PostgresError) -> [Found] {
        let (condition, parameters) = condition(search)
        let sql = """
            SELECT s.id, s.node_id, s.tag, p.ts, p.v FROM (
                SELECT id, node_id, tag FROM \(schema.qualified("series"))
                WHERE \(condition) ORDER BY node_id, tag LIMIT \(limit)) s
            LEFT JOIN LATERAL (
                SELECT ts, v FROM \(schema.qualified("point")) WHERE series_id = s.id ORDER BY ts DESC LIMIT 1) p ON true
            ORDER BY s.node_id, s.tag
            """
        return try session.read { connection throws(PostgresError) in
            let rows = try connection.execute(sql, parameters)
            var found: [Found] = []
            for row in 0..<rows.count {
                guard let node = NodeID(try rows.int64(row, 1)) else { continue }
                let name = SeriesName(node: .id(node), tag: Tag(unchecked: try rows.text(row, 2)))
                var newest: Point?
                if let time = try rows.optionalTimestamp(row, 3) {
                    newest = Point(timestamp: Timestamp(microseconds: time), value: try rows.double(row, 4))
                }
                found.append(Found(id: SeriesID(try rows.int32(row, 0)), name: name, newest: newest))
            }
            return found
        }
    }

    private func condition(_ search: SeriesSearch) -> (sql: String, parameters: [Parameter]) {
        var terms: [String] = []
        var parameters: [Parameter] = []
        switch search.node {
        case .id(let id):
            parameters.append(.int8(id.number))
            terms.append("node_id = $1")
        case .uuid(let uuid):
            parameters.append(.uuid(UUIDBytes(uuid)))
            terms.append("node_id = (SELECT id FROM \(schema.qualified("node")) WHERE uuid = $1)")
        case nil: break
        }
        if let pattern = search.tagPattern {
            parameters.append(.text(pattern))
            terms.append("tag ILIKE $\(parameters.count)")
        }
        return (terms.isEmpty ? "true" : terms.joined(separator: search.needsBoth ? " AND " : " OR "), parameters)
    }

    /// The points in a range, both ends included, in at most `count` stretches of the same length; those without points are missing.
    func buckets(of series: SeriesID, in range: TimeRange, count: Int) throws(PostgresError) -> [Bucket] {
        let sql = """
            SELECT min(ts), max(ts), count(*), min(v), max(v), avg(v) FROM \(schema.qualified("point"))
            WHERE series_id = $1 AND ts >= $2 AND ts <= $3
            GROUP BY width_bucket(extract(epoch FROM ts)::double precision, $4, $5, \(count)) ORDER BY 1
            """
        func seconds(_ time: Timestamp) -> Double { Double(time.microseconds) / 1e6 }
        return try session.read { connection throws(PostgresError) in
            let rows = try connection.execute(
                sql,
                [
                    .int4(series.number), .timestamptz(range.first.microseconds), .timestamptz(range.last.microseconds),
                    // Past the last point, which would be in a bucket of its own.
                    .float8(seconds(range.first)), .float8(seconds(range.last) + 1),
                ])
            var buckets: [Bucket] = []
            for row in 0..<rows.count {
                buckets.append(
                    Bucket(
                        first: Timestamp(microseconds: try rows.timestamp(row, 0)),
                        last: Timestamp(microseconds: try rows.timestamp(row, 1)), count: Int(try rows.int64(row, 2)),
                        least: try rows.double(row, 3), greatest: try rows.double(row, 4),
                        mean: try rows.double(row, 5)))
            }
            return buckets
        }
    }
}
