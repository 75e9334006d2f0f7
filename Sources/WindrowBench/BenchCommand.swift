import ArgumentParser
import Foundation
import LibPQ
import WindrowTestSupport

@main
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windrow-bench",
        abstract: "Measures Windrow end to end, beside limits that are measured in the same run.",
        discussion: "Absolute figures are of this machine and this moment; the ratios are what counts.")

    @Option(help: "Single-point QoS 1 messages that wait at the broker.")
    var messages = 200_000

    @Option(help: "Series that the messages are spread over.")
    var series = 1000

    @Option(help: "Rounds; the median counts.")
    var rounds = 3

    func run() throws {
        let sandbox = try Sandbox()
        print("\(messages) single-point QoS 1 messages of \(series) series wait at the broker; \(rounds) rounds")
        let copy = try CopyLimit(sandbox).measure(rows: 500_000)
        print("limit: binary COPY into the keyed table, sorted, 10,000 rows a transaction: \(rate(copy)) rows/s")

        let backlog = try BacklogCase(sandbox, messages: messages, series: series)
        var drained: [Double] = []
        var stored: [Double] = []
        for round in 1...rounds {
            let result = try backlog.run()
            drained.append(result.drained)
            stored.append(result.stored)
            print(
                "round \(round): mosquitto_sub drains \(rate(result.drained))/s, windrow stores \(rate(result.stored))/s, "
                    + "ratio \(ratio(result.stored / result.drained))")
        }
        let memory = try backlog.memoryAtRest()
        print(
            """

            | case | limit | windrow | ratio |
            | --- | --- | --- | --- |
            | single-point messages, backlog | \(rate(median(drained)))/s (`mosquitto_sub` to /dev/null) | \
            \(rate(median(stored)))/s | \(ratio(median(zip(stored, drained).map { $0 / $1 }))) |
            | resident memory at rest, \(series) series | 64 MiB | \(memory >> 20) MiB | |
            """)
    }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    private func ratio(_ value: Double) -> String { String(format: "%.2f", value) }
    private func rate(_ value: Double) -> String {
        let formatter = NumberFormatter()
        formatter.numberStyle = .decimal
        formatter.groupingSeparator = ","
        formatter.maximumFractionDigits = 0
        return formatter.string(from: NSNumber(value: value)) ?? "\(value)"
    }
}
