import LibPQ
import WindrowTestSupport

/// Reads all that PostgreSQL has, and compares it with the models.
struct Examination {
    private(set) var comparison: Comparison
    private let excused: Int?
    /// What is wrong beyond single points.
    private(set) var complaints: [String] = []
    private let connection: Connection
    /// Of the series in the database, by its name; of one whose node is named by UUID, by that name.
    private var series: [SeriesName: [Int32]] = [:]
    private var seen: Set<Int32> = []

    /// - Parameter excused: an injection under which losses are accounted for otherwise.
    init(_ connection: Connection, excused: Int?) throws {
        comparison = Comparison(excused: excused)
        self.excused = excused
        self.connection = connection
        let rows = try connection.execute(
            "SELECT s.id, n.id, n.uuid, s.tag FROM windrow.series s JOIN windrow.node n ON n.id = s.node_id")
        for row in 0..<rows.count {
            let tag = try rows.text(row, 3)
            for node in [SeriesName.Node.id(try rows.int64(row, 1)), .uuid("\(try rows.uuid(row, 2))")] {
                series[SeriesName(node: node, tag: tag), default: []].append(try rows.int32(row, 0))
            }
        }
    }

    mutating func examine(_ model: Model) throws {
        for (name, table) in model.tables { comparison.compare(name, table, stored: try take(name)) }
    }

    mutating func examine(_ model: StreamModel, starts: Int) throws {
        for (place, name) in model.series.enumerated() {
            let stored = try take(name)
            let (table, complaint) = model.expected(place, stored: stored, starts: starts, excused: excused)
            comparison.compare(name, table, stored: stored)
            if let complaint { complaints.append(complaint) }
        }
    }

    /// Once all models are examined: what is left belongs to none of them.
    mutating func examineRest() throws {
        let rows = try connection.execute("SELECT series_id, count(*) FROM windrow.point GROUP BY series_id")
        for row in 0..<rows.count {
            let id = try rows.int32(row, 0)
            if !seen.contains(id) { comparison.unexpected("series \(id)", points: Int(try rows.int64(row, 1))) }
        }
    }

    /// The stored points of a series, ascending.
    private mutating func take(_ name: SeriesName) throws -> [Point] {
        let ids = series[name] ?? []
        if ids.count > 1 { complaints.append("\(name) is there \(ids.count) times") }
        guard let id = ids.first else { return [] }
        seen.insert(id)
        let rows = try connection.execute(
            "SELECT ts, v FROM windrow.point WHERE series_id = $1 ORDER BY ts", [.int4(id)])
        var points: [Point] = []
        points.reserveCapacity(rows.count)
        for row in 0..<rows.count {
            points.append(Point(microseconds: try rows.timestamp(row, 0), value: try rows.double(row, 1)))
        }
        return points
    }
}
