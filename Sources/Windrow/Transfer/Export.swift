import Glibc
import LibPQ

/// Writes points of a domain's database into a file that an import reads back: of one moment, ordered by node, tag and time, and with no
/// more in memory than a page of points and the names of the series.
///
/// The moment goes with the connection: an export whose server goes away begins anew, with a new file in the place of the half one.
/// What stands on standard output already nobody can take back.
public final class Export {
    public typealias Format = ImportOptions.Format

    public struct Report: Sendable {
        public var points = 0
        public var series = 0
        /// The part of the series that is written, of 1.
        public var share = 0.0
        /// Stored by another writer, and NaN or infinite, which Windrow does not know: they are left out.
        public var leftOut = 0
    }

    private struct Series {
        var id: SeriesID
        var name: SeriesName
    }

    private let domain: Configuration.Domain
    private let selection: ExportSelection
    private let format: Format
    private let report: (Report) -> Void
    private let waits: (PostgresError) -> Void
    private let beginsAnew: () -> Void
    private let isInterrupted: () -> Bool

    /// Some of it stands on standard output.
    private var isTold = false

    /// Rows of a fetch; tests make it small.
    var pageSize = 20_000
    /// How long a database that went away is waited for.
    private static let patience = Duration.seconds(300)
    public static var patienceText: String { DurationText.format(patience) }
    /// How often an export begins anew: one that takes longer than its server lasts would never end.
    private static let mostAttempts = 4

    /// - Parameters:
    ///   - waits: is told why the export is interrupted, before each try to reach the database again.
    ///   - beginsAnew: is told when it is reached, and all is written once more.
    public init(
        of domain: Configuration.Domain, _ selection: ExportSelection, as format: Format,
        report: @escaping (Report) -> Void, waits: @escaping (PostgresError) -> Void = { _ in },
        beginsAnew: @escaping () -> Void = {}, isInterrupted: @escaping () -> Bool
    ) {
        self.waits = waits
        self.beginsAnew = beginsAnew
        self.domain = domain
        self.selection = selection
        self.format = format
        self.report = report
        self.isInterrupted = isInterrupted
    }

    /// - Parameters:
    ///   - path: nil for standard output; deflated if it ends with `.gz`.
    ///   - replaces: whether a file of that name may be there.
    /// - Returns: nil when it was interrupted, and there is no file.
    /// - Throws: `TransferError`, `PostgresError`, `SchemaError`, `OutputClosed`.
    public func run(to path: String?, replaces: Bool) throws -> Report? {
        let schema = try Schema(domain.schema)
        let database = DatabaseAccess(connectionString: domain.postgres, schema: schema)
        var connection = try database.connect("export")
        for attempt in 1... {
            do {
                return try run(to: path, replaces: replaces, schema, connection)
            } catch let error as PostgresError {
                guard error.endsConnection, !isInterrupted() else { throw error }
                guard !isTold else { throw TransferError.snapshotLost(error) }
                guard attempt < Self.mostAttempts else { throw error }
                guard let fresh = try connectAgain(database, after: error) else { return nil }
                connection = fresh
                beginsAnew()
            }
        }
        return nil
    }

    /// nil when interrupted.
    private func connectAgain(_ database: DatabaseAccess, after failure: PostgresError) throws -> Connection? {
        let deadline = ContinuousClock.now + Self.patience
        var backoff = DatabaseAccess.backoff
        var failure = failure
        while true {
            waits(failure)
            let (seconds, attoseconds) = backoff.next().components
            usleep(useconds_t(seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
            if isInterrupted() { return nil }
            do throws(PostgresError) {
                return try database.connect("export")
            } catch {
                guard error.endsConnection, .now < deadline else { throw error }
                failure = error
            }
        }
    }

    private func run(
        to path: String?, replaces: Bool, _ schema: Schema, _ connection: Connection
    ) throws -> Report? {
        try schema.check(connection)
        let output = try OutputFile(path, replaces: replaces)
        defer { if path == nil, output.hasWritten { isTold = true } }
        // One snapshot for all statements.
        try connection.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        let series = try self.series(schema, connection)
        if format == .csv { try output.write { $0 += "node_id,tag,ts,v\n".utf8 } }
        guard let range = selection.range, !series.isEmpty else {
            try output.finish()
            return Report()
        }
        // Each series' points by the primary key, in the order of the array: nothing has to be sorted.
        try connection.script("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        try connection.execute(
            """
            DECLARE export NO SCROLL CURSOR FOR
            SELECT w.place::integer, p.ts, p.v FROM unnest($1::integer[]) WITH ORDINALITY AS w (series_id, place)
            CROSS JOIN LATERAL (
                SELECT ts, v FROM \(schema.qualified("point"))
                WHERE series_id = w.series_id AND ts >= $2 AND ts <= $3 ORDER BY ts) p
            """,
            [
                .int4Array(series.map(\.id.number)), .timestamptz(range.first.microseconds),
                .timestamptz(range.last.microseconds),
            ])
        let done = try write(series, connection, output)
        if done != nil { try output.finish() }
        return done
    }

    private func write(_ series: [Series], _ connection: Connection, _ output: OutputFile) throws -> Report? {
        var done = Report()
        var last = -1
        var text = PointText(format)
        while true {
            if isInterrupted() { return nil }
            let rows = try connection.execute("FETCH \(pageSize) FROM export")
            if rows.count == 0 { break }
            try output.write { bytes in
                for row in 0..<rows.count {
                    let place = Int(try rows.int32(row, 0)) - 1
                    let value = try rows.double(row, 2)
                    guard value.isFinite else {
                        done.leftOut += 1
                        continue
                    }
                    if place != last {
                        text.begin(series[place].name)
                        done.series += 1
                        last = place
                    }
                    text.append(
                        Point(timestamp: Timestamp(microseconds: try rows.timestamp(row, 1)), value: value), to: &bytes)
                    done.points += 1
                }
            }
            done.share = Double(last) / Double(series.count)
            report(done)
        }
        done.share = 1
        report(done)
        return done
    }

    /// What is selected, ordered by node and tag.
    private func series(_ schema: Schema, _ connection: Connection) throws -> [Series] {
        var (ids, uuids): ([Int64], [UUIDBytes]) = ([], [])
        for node in selection.nodes {
            switch node {
            case .id(let id): ids.append(id.number)
            case .uuid(let uuid): uuids.append(UUIDBytes(uuid))
            }
        }
        let rows = try connection.execute(
            """
            SELECT s.id, s.node_id, s.tag FROM \(schema.qualified("series")) s
            WHERE ($1 OR s.node_id IN (
                SELECT id FROM \(schema.qualified("node")) WHERE id = ANY ($2) OR uuid = ANY ($3)))
            AND ($4 OR s.tag LIKE ANY ($5))
            ORDER BY s.node_id, s.tag
            """,
            [
                .boolean(selection.nodes.isEmpty), .int8Array(ids), .uuidArray(uuids), .boolean(selection.tags.isEmpty),
                .textArray(selection.likePatterns),
            ])
        return try (0..<rows.count).compactMap { row in
            guard let node = NodeID(try rows.int64(row, 1)) else { return nil }
            return Series(
                id: SeriesID(try rows.int32(row, 0)),
                name: SeriesName(node: .id(node), tag: Tag(unchecked: try rows.text(row, 2))))
        }
    }
}

/// Points as lines of text.
struct PointText {
    private let format: ImportOptions.Format
    /// What each line of the series begins with.
    private var head: [UInt8] = []

    init(_ format: ImportOptions.Format) {
        self.format = format
    }

    mutating func begin(_ series: SeriesName) {
        switch format {
        case .csv: head = Array("\(series.node),\(Self.cell(series.tag.name)),".utf8)
        case .ndjson:
            var text = JSONText()
            text.write("{")
            text.write(series)
            text.write(#","ts":""#)
            head = text.bytes
        }
    }

    /// The shortest text that gives the same double.
    func append(_ point: Point, to bytes: inout [UInt8]) {
        bytes += head
        bytes += point.timestamp.description.utf8
        bytes += (format == .csv ? "," : #"","v":"#).utf8
        bytes += point.value.description.utf8
        bytes += (format == .csv ? "\n" : "}\n").utf8
    }

    /// In quotes if it has to be (RFC 4180, section 2).
    private static func cell(_ text: String) -> String {
        guard text.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
