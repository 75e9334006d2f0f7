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
            """)

    @Option(parsing: .upToNextOption, help: "Cases to run, see above; all but islands and several when not named.")
    var cases: [BenchCase] = []

    @Option(help: "Rounds; the median counts.")
    var rounds = 3

    @Option(help: "Multiplies the number of messages, for a quick look or a steadier figure.")
    var size = 1.0

    @Option(help: "A file for the results as JSON.")
    var json: String?

    func validate() throws {
        guard rounds > 0, size > 0, size <= 100 else { throw ValidationError("there is nothing to measure") }
    }

    func run() throws {
        let sandbox = try Sandbox()
        let bench = Bench(sandbox: sandbox, rounds: rounds, size: size)
        var results: [Measurement] = []
        for named in cases.isEmpty ? BenchCase.allCases.filter({ $0 != .islands && $0 != .several }) : cases {
            results += try bench.run(named)
        }
        print("\n\(Measurement.header)")
        for result in results { print(result.row) }
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(results).write(to: URL(fileURLWithPath: json))
        }
    }
}

enum BenchCase: String, CaseIterable, ExpressibleByArgument {
    case single, batches, lanes, series, late, bulk, small, latency, known, journal, islands, several
}
