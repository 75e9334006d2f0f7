import Foundation

/// A line of the table, and of the JSON: medians over the rounds.
struct Measurement: Encodable {
    var name: String
    var unit: String
    var windrow: Double
    /// What the limit is, and its value in the same unit.
    var limitName: String?
    var limit: Double?
    var ratio: Double?
    /// What the ratio, or the value where there is no limit, is to be.
    var goal: String?
    var cpuSecondsPerMillion: Double?
    var peakMemoryMiB: Double?
    var p50Milliseconds: Double?
    var p99Milliseconds: Double?
    /// Of the case `growth`.
    var growth: Growth?

    init(_ name: String, _ unit: String, _ values: [Double], goal: String? = nil) {
        self.name = name
        self.unit = unit
        self.goal = goal
        windrow = median(values)
    }

    /// - Parameter pairs: Windrow's figure and the limit's, of each round.
    init(
        _ name: String, _ unit: String, limit limitName: String, _ pairs: [(windrow: Double, limit: Double)],
        goal: String? = nil
    ) {
        self.init(name, unit, pairs.map(\.windrow), goal: goal)
        self.limitName = limitName
        limit = median(pairs.map(\.limit))
        ratio = median(pairs.map { $0.windrow / $0.limit })
    }

    static let header = """
        | case | limit | Windrow | ratio | goal | CPU s per million | peak MiB | p50 ms | p99 ms |
        | --- | --- | --- | --- | --- | --- | --- | --- | --- |
        """

    var row: String {
        func text(_ value: Double?, _ digits: Int) -> String { value.map { number($0, digits: digits) } ?? "" }
        let cells = [
            name, limit.map { "\(significant($0)) \(unit) (\(limitName ?? ""))" } ?? "",
            "\(significant(windrow)) \(unit)",
            text(ratio, 2), goal ?? "", text(cpuSecondsPerMillion, 2), text(peakMemoryMiB, 0), text(p50Milliseconds, 1),
            text(p99Milliseconds, 1),
        ]
        return "| \(cells.joined(separator: " | ")) |"
    }
}

/// How a table that has grown takes points.
struct Growth: Encodable {
    /// plain or partitions.
    var layout: String
    /// live or late.
    var load: String
    /// In the table before.
    var rows: Int
    var series: Int
    var partitions: Int
    /// The rows that are counted and not there: older partitions are empty.
    var simulatedRows: Int
    var pointsPerSecond: Double
    var flushMilliseconds: Double
    /// Of write-ahead log.
    var walBytesPerPoint: Double
    var daemonSecondsPerMillion: Double
    /// CPU time of all its processes.
    var postgresSecondsPerMillion: Double
    /// Of table and index: of the rows that were there, whose index was made at once, and of those that the daemon has added.
    var bytesPerRow: Double
    var bytesPerNewRow: Double

    static let header = """
        | rows | table | points | points/s | flush ms | WAL bytes a point | CPU s per million: Windrow | PostgreSQL | bytes a row | a new row |
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
        """

    var row: String {
        let table = partitions > 0 ? "\(number(Double(partitions), digits: 0)) partitions" : layout
        let cells = [
            number(Double(rows + simulatedRows), digits: 0)
                + (simulatedRows > 0 ? " (\(number(Double(rows), digits: 0)) real)" : ""),
            table, load, significant(pointsPerSecond), number(flushMilliseconds, digits: 0),
            number(walBytesPerPoint, digits: 0), number(daemonSecondsPerMillion, digits: 2),
            number(postgresSecondsPerMillion, digits: 2), number(bytesPerRow, digits: 1),
            number(bytesPerNewRow, digits: 1),
        ]
        return "| \(cells.joined(separator: " | ")) |"
    }
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// Whole numbers from 100 on, two digits behind the point below.
func significant(_ value: Double) -> String { number(value, digits: abs(value) >= 100 ? 0 : 2) }

func number(_ value: Double, digits: Int) -> String {
    value.formatted(.number.precision(.fractionLength(digits)).locale(Locale(identifier: "en_US")))
}
