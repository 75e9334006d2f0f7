import Foundation
import LibPQ
import WindrowTestSupport

@testable import FuzzTargets
@testable import Windrow

/// A domain with an empty database of its own, and files to import into it.
struct ImportFixture {
    let writer: WriterFixture
    let folder: TemporaryFolder
    var domain: Configuration.Domain

    init(lanes: Int = 2) throws {
        writer = try WriterFixture()
        folder = try TemporaryFolder("windrow-import")
        domain = Configuration.Domain(name: "demo", postgres: Secret(writer.conninfo), lanes: lanes, brokers: [])
    }

    /// An import in pieces so small that each has many blocks and transactions.
    func task(
        _ file: String, _ overwrite: Overwrite = .insert, blockSize: Int = 300, leastPoints: Int = 20,
        interruptedAfter points: Int = .max, reports: @escaping (Import.Report) -> Void = { _ in },
        change: (inout ImportOptions) -> Void = { _ in }
    ) throws -> Import {
        var options = ImportOptions()
        options.overwrite = overwrite
        change(&options)
        var domain = domain
        domain.flush.maxPoints = 1
        var written = 0
        let task = try Import(
            file, options, into: domain,
            report: {
                if $0.phase == .importing { written = $0.points }
                reports($0)
            },
            resumes: { _ in }, isInterrupted: { written >= points })
        task.pieces = Import.Pieces(block: blockSize, leastPoints: leastPoints)
        return task
    }

    /// Imports a file, and checks that the accounting closes.
    @discardableResult
    func load(
        _ file: String, _ overwrite: Overwrite = .insert, skipping: String? = nil,
        change: (inout ImportOptions) -> Void = { _ in }
    ) throws -> ImportSummary {
        let task = try task(file, overwrite, change: change)
        try task.run(skipping: skipping, restarts: false)
        return task.summary
    }

    /// The stored points, by the names of the series.
    func table() throws -> [SeriesName: [Timestamp: Double]] { try writer.table() }

    func progressRows() throws -> Int {
        Int(try writer.connection.execute("SELECT count(*) FROM windrow.progress").int64(0, 0))
    }

    /// All that a dry run must leave alone.
    func fingerprint() throws -> String {
        try writer.connection.execute(
            """
            SELECT concat_ws(' ', (SELECT count(*) FROM windrow.node), (SELECT count(*) FROM windrow.series),
                (SELECT count(*) FROM windrow.point), (SELECT count(*) FROM windrow.progress),
                (SELECT last_value || ' ' || is_called FROM windrow.series_id_seq))
            """
        ).text(0, 0)
    }
}

/// Random lines, dense in time so that they meet.
struct RandomRows {
    struct Row {
        var series: SeriesName
        var point: Point
    }

    var generator: SeededGenerator
    var series = 5
    var span: Int64 = 60

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func rows(_ count: Int) -> [Row] {
        (0..<count).map { _ in
            let second = Int64.random(in: 0..<span, using: &generator)
            return Row(
                series: seriesName(Int64.random(in: 1...Int64(series), using: &generator)),
                point: Point(
                    timestamp: Timestamp(microseconds: 1_672_574_400_000_000 + second * 1_000_000),
                    value: Double(Int.random(in: 0..<100_000, using: &generator)) / 8))
        }
    }

    static func csv(_ rows: [Row]) -> String {
        rows.reduce(into: "node_id,tag,ts,v\n") {
            $0 += "\($1.series.node),\($1.series.tag),\($1.point.timestamp),\($1.point.value)\n"
        }
    }

    /// What the rows make of a table, in the plainest words.
    static func apply(_ rows: [Row], _ mode: Overwrite, to table: inout NaiveTable) {
        if mode == .replaceWindow {
            for (name, own) in Dictionary(grouping: rows, by: \.series) {
                let times = own.map(\.point.timestamp)
                guard let first = times.min(), let last = times.max() else { continue }
                table.apply(.replace(TimeRange(first: first, last: last)), [], to: name)
            }
        }
        for row in rows { table.apply(mode == .insert ? .insert : .update, [row.point], to: row.series) }
    }
}
