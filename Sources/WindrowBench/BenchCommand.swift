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

    @Option(help: "Cases to run: backlog, requests, islands.")
    var cases = ["backlog", "requests", "islands"]

    func run() throws {
        let sandbox = try Sandbox()
        let copy = try CopyLimit(sandbox)
        var rows: [String] = []
        if cases.contains("backlog") { rows += try backlog(sandbox) }
        if cases.contains("requests") { rows += try requests(sandbox, copy) }
        if cases.contains("islands") { rows += try islands(sandbox) }
        print("\n| case | limit | windrow | ratio |\n| --- | --- | --- | --- |\n\(rows.joined(separator: "\n"))")
    }

    private func backlog(_ sandbox: Sandbox) throws -> [String] {
        print("\(messages) single-point QoS 1 messages of \(series) series wait at the broker; \(rounds) rounds")
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
        return [
            """
            | single-point messages, backlog | \(rate(median(drained)))/s (`mosquitto_sub` to /dev/null) | \
            \(rate(median(stored)))/s | \(ratio(median(zip(stored, drained).map { $0 / $1 }))) |
            """,
            "| resident memory at rest, \(series) series | 64 MiB | \(memory >> 20) MiB | |",
        ]
    }

    private func requests(_ sandbox: Sandbox, _ copy: CopyLimit) throws -> [String] {
        print(
            "one HTTP client with 10,000 points in each request, of 1 or of 100 series; 32 with one point; \(rounds) rounds"
        )
        let requests = try RequestCase(sandbox)
        defer { _ = try? requests.stop() }
        var limit: [Double] = []
        var bulk: [Int: [Double]] = [:]
        var small: [(rate: Double, p99: Duration)] = []
        for round in 1...rounds {
            limit.append(try copy.measure(rows: 500_000))
            var line = "round \(round): COPY \(rate(limit[round - 1])) rows/s"
            for series in [1, 100] {
                let stored = try requests.bulk(requests: 50, points: 10_000, series: series)
                bulk[series, default: []].append(stored)
                line += "; of \(series) series \(rate(stored)) points/s, ratio \(ratio(stored / limit[round - 1]))"
            }
            small.append(try requests.small(clients: 32, requests: 32_000))
            print(
                "\(line); one point \(rate(small[round - 1].rate)) requests/s, p99 \(milliseconds(small[round - 1].p99))"
            )
        }
        return [1, 100].map { series in
            let stored = bulk[series] ?? []
            return """
                | HTTP, one client, 10,000 points of \(series) series a request | \(rate(median(limit))) rows/s (binary `COPY` into the keyed table, 10,000 rows a transaction) | \
                \(rate(median(stored)))/s | \(ratio(median(zip(stored, limit).map { $0 / $1 }))) |
                """
        } + [
            """
            | HTTP, 32 clients, one point a request | 5,000/s, p99 50 ms (goal) | \(rate(median(small.map(\.rate))))/s, \
            p99 \(milliseconds(small.map(\.p99).sorted()[small.count / 2])) | |
            """
        ]
    }

    private func islands(_ sandbox: Sandbox) throws -> [String] {
        print(
            "32 HTTP clients with one point in each request, beside a domain whose PostgreSQL fails; \(rounds) rounds")
        let islands = try IslandsCase(sandbox)
        defer { islands.stop() }
        var results: [IslandsCase.Neighbour: [(rate: Double, p99: Duration)]] = [:]
        for round in 1...rounds {
            var line = "round \(round):"
            for neighbour in IslandsCase.Neighbour.allCases {
                let result = try islands.measure(beside: neighbour)
                results[neighbour, default: []].append(result)
                line +=
                    " neighbour \(neighbour.rawValue) \(rate(result.rate)) requests/s, p99 \(milliseconds(result.p99));"
            }
            print(line)
        }
        func middle(_ neighbour: IslandsCase.Neighbour) -> (rate: Double, p99: Duration) {
            let all = results[neighbour] ?? []
            return (median(all.map(\.rate)), all.map(\.p99).sorted()[all.count / 2])
        }
        let calm = middle(.well)
        return [IslandsCase.Neighbour.hanging, .dead].map { neighbour in
            let result = middle(neighbour)
            return """
                | HTTP, beside a domain whose PostgreSQL is \(neighbour.rawValue) | \(rate(calm.rate))/s, \
                p99 \(milliseconds(calm.p99)) (while it is well) | \(rate(result.rate))/s, p99 \(milliseconds(result.p99)) | \
                \(ratio(result.rate / calm.rate)) |
                """
        }
    }

    private func milliseconds(_ duration: Duration) -> String { String(format: "%.1f ms", duration / .milliseconds(1)) }
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
