import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@testable import FuzzTargets
@testable import Windrow

@Suite struct ExportTests {
    private func export(
        _ fixture: ImportFixture, _ format: Export.Format, to path: String,
        _ change: (inout ExportSelection) -> Void = { _ in }
    ) throws -> Export.Report? {
        var selection = ExportSelection()
        change(&selection)
        return try Export(of: fixture.domain, selection, as: format, report: { _ in }, isInterrupted: { false })
            .run(to: path, replaces: false)
    }

    @Test(
        "what is exported and imported again is the same to the last bit",
        arguments: ["a.csv", "a.csv.gz", "a.ndjson", "a.jsonl.gz"])
    func roundTrip(name: String) throws {
        let from = try ImportFixture()
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        var catalog = from.writer.catalog()
        let names = [seriesName(1, "a,\"b\""), seriesName(1, "é"), seriesName(9_223_372_036_854_775_807, "x y")]
        let ids = try catalog.resolve(names, from.writer.connection)
        var expected: [SeriesName: [Timestamp: Double]] = [:]
        for (place, name) in names.enumerated() {
            var (times, values): ([Int64], [Double]) = ([], [])
            for _ in 0..<300 {
                let time = Timestamp(
                    microseconds: Int64.random(in: 631_152_000_000_000...1_700_000_000_000_000, using: &generator))
                let value = Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator))
                guard value.isFinite, expected[name]?[time] == nil else { continue }
                expected[name, default: [:]][time] = value
                times.append(time.microseconds)
                values.append(value)
            }
            let id = try #require(ids[place])
            try from.writer.connection.execute(
                "INSERT INTO windrow.point SELECT $1, * FROM unnest($2::timestamptz[], $3::double precision[])",
                [.int4(id.number), .timestamptzArray(times), .float8Array(values)])
        }
        let path = from.folder.path + "/" + name
        let done = try #require(try export(from, name.contains("csv") ? .csv : .ndjson, to: path))
        #expect(done.points == expected.values.reduce(0) { $0 + $1.count } && done.series == 3)

        let to = try ImportFixture()
        try to.load(path)
        let table = try to.table()
        #expect(table == expected, "seed \(seed)")
        #expect(
            table.allSatisfy { name, points in
                points.allSatisfy { $0.value.bitPattern == expected[name]?[$0.key]?.bitPattern }
            })
    }

    @Test("an export whose server goes away begins anew, and has the points of one moment")
    func brokenOff() throws {
        let fixture = try ImportFixture()
        let rows = (0..<100).map { "1,t,2023-01-01T12:00:00.\(100 + $0)Z,\($0)\n" }
        try fixture.load(try fixture.folder.write("node,tag,ts,v\n" + rows.joined(), to: "rows.csv"))
        let path = fixture.folder.path + "/out.csv"
        let other = try fixture.writer.connect()
        var (waits, anew) = (0, 0)
        let task = Export(
            of: fixture.domain, ExportSelection(), as: .csv,
            report: { report in
                guard anew == 0, report.points >= 50 else { return }
                do {
                    try other.script(
                        """
                        UPDATE windrow.point SET v = -v; SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'windrow export'
                        """)
                } catch {
                    Issue.record(error)
                }
            }, waits: { _ in waits += 1 }, beginsAnew: { anew += 1 }, isInterrupted: { false })
        task.pageSize = 10
        let done = try #require(try task.run(to: path, replaces: false))
        #expect(done.points == 100 && waits == 1 && anew == 1)
        let values = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").dropFirst()
            .map { Double($0.split(separator: ",")[3]) }
        #expect(values == (0..<100).map { -Double($0) })
        let files = try FileManager.default.contentsOfDirectory(atPath: fixture.folder.path)
        #expect(!files.contains { $0.hasSuffix(".part") })
    }

    @Test("a selection has its nodes, its tags and its stretch of time, the start included and the end not")
    func selection() throws {
        let fixture = try ImportFixture()
        let rows = [("1", "in"), ("1", "out"), ("2", "out_1"), ("2", "outx1")].flatMap { node, tag in
            (0..<3).map { "\(node),\(tag),2023-01-01T12:0\($0):00Z,\($0)" }
        }
        try fixture.load(
            try fixture.folder.write("node,tag,ts,v\n" + rows.shuffled().joined(separator: "\n"), to: "rows.csv"))
        var count = 0
        func exported(_ change: (inout ExportSelection) -> Void) throws -> [String] {
            count += 1
            let path = fixture.folder.path + "/\(count).csv"
            _ = try export(fixture, .csv, to: path, change)
            return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").dropFirst().map(String.init)
        }
        let all = rows.map { $0 + ".0" }
        #expect(try exported { _ in } == all)
        #expect(try exported { $0.nodes = [.init("2")!] } == all.filter { $0.hasPrefix("2") })
        #expect(try exported { $0.tags = ["out*"] } == all.filter { $0.contains("out") })
        #expect(
            try exported { $0.tags = ["out_1", "in"] } == all.filter { $0.contains("out_1") || $0.contains("in,") })
        #expect(
            try exported {
                $0.start = Timestamp(rfc3339: "2023-01-01T12:01:00Z")
                $0.end = Timestamp(rfc3339: "2023-01-01T12:02:00Z")
            } == all.filter { $0.contains("12:01") })
        #expect(try exported { $0.nodes = [.init("3")!] }.isEmpty)
    }

    @Test("points that are no finite numbers are left out and counted, and a file that is there stays")
    func notFinite() throws {
        let fixture = try ImportFixture()
        try fixture.load(try fixture.folder.write("node,tag,ts,v\n1,t,2023-01-01T12:00:00Z,1\n", to: "rows.csv"))
        try fixture.writer.connection.execute(
            "INSERT INTO windrow.point VALUES (1, '2023-01-01T13:00:00Z', 'NaN'), (1, '2023-01-01T14:00:00Z', '-Infinity')"
        )
        let path = fixture.folder.path + "/out.csv"
        let done = try #require(try export(fixture, .csv, to: path))
        #expect(done.points == 1 && done.leftOut == 2)
        let error = #expect(throws: TransferError.self) { try export(fixture, .csv, to: path) }
        #expect(error?.kind == .usage)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: fixture.folder.path).sorted() == [
                "out.csv", "rows.csv",
            ])
    }
}
