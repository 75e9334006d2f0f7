import ArgumentParser
import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

@main
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windrow-bench",
        abstract: "Measures Windrow end to end, beside limits that are measured in the same run.",
        discussion: """
            Absolute figures are of this machine and this moment; the ratios are what counts.

            single    messages of one point wait at the broker; limit: mosquitto_sub to /dev/null
            batches   messages of 100 points wait at the broker: insert, then update, then replace all; limits: SQL written by hand
            lanes     the same with two lanes; limit: COPY by two connections
            series    messages of one point, of 100, 10,000 and a million series that are in the database, and of series that are not
            late      messages of 100 points, 0, 1 and 50 % of them older than what is stored
            bulk      HTTP requests of 10,000 points
            small     HTTP requests of one point
            latency   10,000 messages a second, from publishing to commit
            known     the start with a million series in the database, and the memory that each takes
            journal   the start with ten million points in the journal
            islands   a domain beside another one whose PostgreSQL fails
            several   two daemons of one lane each, with topics of their own, beside one of two lanes; the same messages
            domains   1, 50 and 200 domains in one daemon: what they take at rest
            partitions  weekly partitions, 1 to 500 of them, beside a plain table: insert, update, replace, and late points
            growth    live and late points into tables of a million rows to --max-rows, plain and partitioned; takes up to 20 GB of
                      $TMPDIR, and an hour
            """)

    @Option(parsing: .upToNextOption, help: "Cases to run, see above; all but the last five when not named.")
    var cases: [BenchCase] = []

    @Option(help: "Rounds; the median counts.")
    var rounds = 3

    @Option(help: "Multiplies the number of messages, for a quick look or a steadier figure.")
    var size = 1.0

    @Option(
        help:
            "A file for the results as JSON, which `deploy/plot-scaling` draws; written after each case, and on the way."
    )
    var json: String?

    @Option(help: "The largest table of the case growth, in rows, such as 1e7; ten times as many are simulated.")
    var maxRows = 1e8

    @Option(help: "Series of the case growth.")
    var growthSeries = 1000

    func validate() throws {
        guard rounds > 0, size > 0, size <= 100, maxRows >= 1e6, maxRows <= 1e10, (1...100_000).contains(growthSeries)
        else {
            throw ValidationError("there is nothing to measure")
        }
    }

    func run() throws {
        let sandbox = try Sandbox()
        let bench = Bench(
            sandbox: sandbox, rounds: rounds, size: size, mostRows: Int(maxRows), growthSeries: growthSeries)
        var results: [Measurement] = []
        for named in cases.isEmpty ? BenchCase.usual : cases {
            results += try bench.run(named) { try write(results + $0) }
            try write(results)
        }
        print("\n\(Measurement.header)")
        for result in results { print(result.row) }
        let grown = results.compactMap(\.growth)
        if grown.isEmpty { return }
        print("\n\(Growth.header)")
        for growth in grown { print(growth.row) }
    }

    private func write(_ results: [Measurement]) throws {
        guard let json else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(results).write(to: URL(fileURLWithPath: json))
    }
}

enum BenchCase: String, CaseIterable, ExpressibleByArgument {
    case single, batches, lanes, series, late, bulk, small, latency, known, journal, islands, several, domains,
        partitions, growth

    /// Which take a quarter of an hour, and say how fast Windrow is.
    static let usual = allCases.filter { ![.islands, .several, .domains, .partitions, .growth].contains($0) }
}
