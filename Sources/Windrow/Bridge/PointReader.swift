import LibPQ
import Logging
import Synchronization

/// Reads points back for `GET`, a page at a time, on a connection and thread of its own: what a client reads slowly holds up no
/// flush, and no more than a page of it is in memory.
///
/// Each page is a statement of its own. What is written between two pages may be seen or not; each stored point is read once.
actor PointReader {
    /// A series to read.
    struct Series: Sendable {
        var id: SeriesID
        var tag: Tag
    }

    /// JSON text of a page's points, `{"v":…,"ts":…}` with commas between them, and where the next page begins.
    struct Page: Sendable {
        var text: [UInt8] = []
        /// nil after the last page.
        var next: Timestamp?
    }

    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var session: ReadSession
    /// Of the connection; nil when there is none.
    private let lastUse = Mutex<ContinuousClock.Instant?>(nil)
    private let findNode: [String]
    private let findSeries: String
    private let readPoints: String

    private static let pageSize = 5000

    init(domain: String, database: DatabaseAccess, log: Logger) {
        executor = ThreadExecutor(name: "read \(domain)")
        session = ReadSession(database, purpose: "reader", log: log)
        let schema = database.schema
        findNode = ["id", "uuid"].map { "SELECT id FROM \(schema.qualified("node")) WHERE \($0) = $1" }
        findSeries = """
            SELECT id, tag FROM \(schema.qualified("series")) WHERE node_id = $1 AND ($2::text IS NULL OR tag = $2) ORDER BY tag
            """
        readPoints = """
            SELECT ts, v FROM \(schema.qualified("point")) WHERE series_id = $1 AND ts >= $2 AND ts <= $3
            ORDER BY ts LIMIT \(Self.pageSize)
            """
    }

    /// The series of a node, all of them or the one with the tag, ordered by tag; nil when there is no such node.
    func series(of node: NodeName, tag: Tag?) throws -> [Series]? {
        try read { connection throws(PostgresError) in
            let found =
                switch node {
                case .id(let id): try connection.execute(findNode[0], [.int8(id.number)])
                case .uuid(let uuid): try connection.execute(findNode[1], [.uuid(UUIDBytes(uuid))])
                }
            guard found.count > 0 else { return nil }
            let rows = try connection.execute(
                findSeries, [.int8(try found.int64(0, 0)), tag.map { .text($0.name) } ?? .null])
            var series: [Series] = []
            for row in 0..<rows.count {
                series.append(Series(id: SeriesID(try rows.int32(row, 0)), tag: Tag(unchecked: try rows.text(row, 1))))
            }
            return series
        }
    }

    /// The first points in a range, both ends included.
    func page(of series: SeriesID, in range: TimeRange) throws -> Page {
        try read { connection throws(PostgresError) in
            let rows = try connection.execute(
                readPoints,
                [
                    .int4(series.number), .timestamptz(range.first.microseconds), .timestamptz(range.last.microseconds),
                ])
            var page = Page()
            page.text.reserveCapacity(rows.count * 56)
            for row in 0..<rows.count {
                let timestamp = Timestamp(microseconds: try rows.timestamp(row, 0))
                if row > 0 { page.text.append(UInt8(ascii: ",")) }
                page.text += #"{"v":"#.utf8
                // Another writer may have stored a NaN, which JSON has no word for.
                let value = try rows.double(row, 1)
                page.text += (value.isFinite ? value.description : "null").utf8
                page.text += #","ts":""#.utf8
                page.text += timestamp.description.utf8
                page.text += #""}"#.utf8
                if row == Self.pageSize - 1, timestamp < range.last {
                    page.next = Timestamp(microseconds: timestamp.microseconds + 1)
                }
            }
            return page
        }
    }

    /// Whether there is a connection that nobody has used for so long.
    nonisolated func isIdle(for time: Duration) -> Bool {
        lastUse.withLock { $0.map { .now - $0 > time } ?? false }
    }

    func close() {
        session.close()
        lastUse.withLock { $0 = nil }
    }

    private func read<R>(_ body: (Connection) throws(PostgresError) -> R) throws(PostgresError) -> R {
        defer { lastUse.withLock { $0 = .now } }
        return try session.read(body)
    }
}
