import Foundation
import Windrow
import WindrowTestSupport

/// Runs cases, a round after the other, and says on the way what each round gave.
struct Bench {
    let sandbox: Sandbox
    let rounds: Int
    /// Multiplies the number of messages.
    let size: Double
    /// Of the case `growth`: rows that are really there, and their series.
    var mostRows = 100_000_000
    var growthSeries = 1000

    /// - Parameter report: is given what is found so far, by a case that takes long.
    func run(_ named: BenchCase, report: ([Measurement]) throws -> Void = { _ in }) throws -> [Measurement] {
        switch named {
        case .single: try backlog("MQTT, one point a message", scaled(600_000), points: 1, series: 1000)
        case .batches: try batches()
        case .lanes:
            try backlog("MQTT, 100 points a message, 2 lanes", scaled(20_000), points: 100, series: 1000, lanes: 2)
        case .series:
            try [100, 10_000, 1_000_000].flatMap { series in
                try backlog(
                    "MQTT, one point a message, \(number(Double(series), digits: 0)) series",
                    max(scaled(600_000), series), points: 1, series: series, areStored: true)
            }
                + backlog(
                    "MQTT, one point a message, each makes a series", scaled(600_000), points: 1,
                    series: scaled(600_000))
        case .late:
            try [0, 1, 50].flatMap { percent in
                try backlog(
                    "MQTT, 100 points a message, \(percent) % late", scaled(10_000), points: 100, series: 1000,
                    latePercent: percent)
            }
        case .bulk: try bulk()
        case .small: try small()
        case .latency: try latency()
        case .known: try known()
        case .journal: try journal()
        case .islands: try islands()
        case .several: try several()
        case .domains: try domains()
        case .partitions: try partitions()
        case .growth: try growth(upTo: mostRows, series: growthSeries, report: report)
        }
    }

    func scaled(_ count: Int) -> Int { max(Int(Double(count) * size), 1000) }

    func say(_ name: String, _ round: Int, _ text: String) {
        print("\(name), round \(round): \(text)")
        fflush(nil)
    }

    // MARK: Backlogs

    private func backlog(
        _ name: String, _ messages: Int, points: Int, series: Int, lanes: Int = 1, latePercent: Int = 0,
        areStored: Bool = false
    ) throws -> [Measurement] {
        let workload = Workload(
            messages: messages, pointsPerMessage: points, series: series, latePercent: latePercent)
        var runs: [(drained: Drained, limit: Double)] = []
        for round in 1...rounds {
            let drain = try Drain(sandbox, workload, lanes: lanes)
            if areStored { try drain.makeSeries() }
            let limit: Double
            let drained: Drained
            if points == 1 {
                try drain.addMosquittoSub()
                try drain.publish()
                // Neither goes first always.
                let first = round % 2 == 0 ? try drain.run() : nil
                limit = try drain.runMosquittoSub()
                drained = try first ?? drain.run()
            } else {
                let writer = try WriteLimit(sandbox, workload)
                limit = try writer.insert(connections: lanes)
                try writer.drop()
                try drain.publish()
                drained = try drain.run()
            }
            try drain.drop()
            say(name, round, text(drained, limit))
            runs.append((drained, limit))
        }
        let limit = points == 1 ? "mosquitto_sub to /dev/null" : lanes == 1 ? "COPY" : "COPY, \(lanes) connections"
        let isWarm = messages >= 10 * series
        let goal = points == 1 ? isWarm ? "≥ 1.0" : nil : latePercent == 0 ? "≥ 0.9" : nil
        return [measurement(name, limit, runs, goal: goal)]
    }

    /// The same points written three times: insert, update, replace.
    private func batches() throws -> [Measurement] {
        let workload = Workload(messages: scaled(20_000), pointsPerMessage: 100, series: 1000)
        let modes: [(mode: Overwrite, limit: String)] = [
            (.insert, "COPY"), (.updateWindow, "INSERT … ON CONFLICT DO UPDATE"), (.replaceWindow, "DELETE and COPY"),
        ]
        var runs: [Overwrite: [(drained: Drained, limit: Double)]] = [:]
        for round in 1...rounds {
            let writer = try WriteLimit(sandbox, workload)
            let drain = try Drain(sandbox, workload)
            for (value, (mode, _)) in modes.enumerated() {
                let limit =
                    switch mode {
                    case .insert: try writer.insert()
                    case .updateWindow: try writer.update()
                    case .replaceWindow: try writer.replace()
                    }
                try drain.publish(overwrite: mode == .insert ? nil : mode, adding: value)
                let drained = try drain.run(adding: value)
                say("MQTT, 100 points a message, \(mode.rawValue)", round, text(drained, limit))
                runs[mode, default: []].append((drained, limit))
            }
            try writer.drop()
            try drain.drop()
        }
        return modes.map { mode, limit in
            measurement("MQTT, 100 points a message, \(mode.rawValue)", limit, runs[mode] ?? [], goal: "≥ 0.9")
        }
    }

    private func text(_ drained: Drained, _ limit: Double) -> String {
        "limit \(significant(limit))/s, windrow \(significant(drained.rate))/s, "
            + "ratio \(number(drained.rate / limit, digits: 2)), \(number(drained.cpuPerMillion, digits: 2)) CPU s per million, "
            + "first committed after \(milliseconds(drained.begin)) ms, at most \(drained.peakMemory >> 20) MiB"
    }

    private func measurement(
        _ name: String, _ limit: String, _ runs: [(drained: Drained, limit: Double)], goal: String?
    ) -> Measurement {
        var result = Measurement(
            name, "points/s", limit: limit, runs.map { ($0.drained.rate, $0.limit) }, goal: goal)
        result.cpuSecondsPerMillion = median(runs.map(\.drained.cpuPerMillion))
        result.peakMemoryMiB = median(runs.map { Double($0.drained.peakMemory) / 1_048_576 })
        return result
    }

    /// Two daemons beside one with as many lanes.
    private func several() throws -> [Measurement] {
        let workload = Workload(messages: scaled(100_000), pointsPerMessage: 100, series: 1000)
        let name = "MQTT, 100 points a message, two daemons of one lane"
        var runs: [(windrow: Double, limit: Double)] = []
        var cpu: [Double] = []
        for round in 1...rounds {
            var rates: [Int: Double] = [:]
            // Neither goes first always.
            for count in round % 2 == 0 ? [1, 2] : [2, 1] {
                let fleet = try SeveralCase(sandbox, workload, daemons: count, lanes: 2 / count)
                let run = try fleet.run()
                try fleet.drop()
                rates[count] = run.rate
                if count == 2 { cpu.append(run.cpuPerMillion) }
            }
            let (two, one) = (rates[2] ?? .nan, rates[1] ?? .nan)
            say(
                name, round,
                "one of two lanes \(significant(one))/s, two \(significant(two))/s, ratio \(number(two / one, digits: 2)), "
                    + "\(number(cpu[round - 1], digits: 2)) CPU s per million")
            runs.append((two, one))
        }
        var result = Measurement(name, "points/s", limit: "one daemon, 2 lanes", runs, goal: "≥ 1.0")
        result.cpuSecondsPerMillion = median(cpu)
        return [result]
    }

    // MARK: HTTP

    private func bulk() throws -> [Measurement] {
        let shapes: [(clients: Int, series: Int)] = [(1, 100), (4, 1), (4, 100)]
        let requests = try RequestCase(sandbox)
        defer { _ = try? requests.stop() }
        func name(_ clients: Int, _ series: Int) -> String {
            "HTTP, \(clients) client\(clients == 1 ? "" : "s"), 10,000 points of \(series) series a request"
        }
        var runs = shapes.map { _ in [(windrow: Double, limit: Double)]() }
        var cpu = shapes.map { _ in [Double]() }
        for round in 1...rounds {
            for (place, (clients, series)) in shapes.enumerated() {
                let count = scaled(200) / clients
                // A message of the limit is an element of a request.
                let workload = Workload(
                    messages: clients * count * series, pointsPerMessage: 10_000 / series, series: clients * series)
                let writer = try WriteLimit(sandbox, workload)
                let limit = try writer.insert()
                try writer.drop()
                let before = try requests.daemon.usage().cpu
                let rate = try requests.bulk(clients: clients, requests: count, points: 10_000, series: series)
                cpu[place].append(
                    (try requests.daemon.usage().cpu - before) / .seconds(1) / Double(workload.points) * 1_000_000)
                runs[place].append((rate, limit))
                say(
                    name(clients, series), round,
                    "COPY \(significant(limit)) rows/s, windrow \(significant(rate))/s, ratio \(number(rate / limit, digits: 2)), "
                        + "\(number(cpu[place][round - 1], digits: 2)) CPU s per million")
            }
        }
        return shapes.enumerated().map { place, shape in
            var result = Measurement(
                name(shape.clients, shape.series), "points/s", limit: "COPY", runs[place],
                goal: shape.clients > 1 ? "≥ 0.9" : nil)
            result.cpuSecondsPerMillion = median(cpu[place])
            return result
        }
    }

    private func small() throws -> [Measurement] {
        let requests = try RequestCase(sandbox)
        defer { _ = try? requests.stop() }
        var runs: [(rate: Double, p50: Duration, p99: Duration)] = []
        for round in 1...rounds {
            let run = try requests.small(clients: 32, requests: scaled(32_000))
            say(
                "HTTP, 32 clients, one point a request", round,
                "\(significant(run.rate))/s, p99 \(milliseconds(run.p99)) ms")
            runs.append(run)
        }
        return [measurement("HTTP, 32 clients, one point a request", runs)]
    }

    private func measurement(
        _ name: String, _ runs: [(rate: Double, p50: Duration, p99: Duration)], beside calm: [Double]? = nil
    ) -> Measurement {
        var result =
            calm.map { calm in
                Measurement(
                    name, "requests/s", limit: "while it is well", zip(runs, calm).map { ($0.rate, $1) })
            } ?? Measurement(name, "requests/s", runs.map(\.rate))
        result.p50Milliseconds = median(runs.map { $0.p50 / .milliseconds(1) })
        result.p99Milliseconds = median(runs.map { $0.p99 / .milliseconds(1) })
        return result
    }

    private func islands() throws -> [Measurement] {
        let islands = try IslandsCase(sandbox)
        defer { islands.stop() }
        var runs: [IslandsCase.Neighbour: [(rate: Double, p50: Duration, p99: Duration)]] = [:]
        for round in 1...rounds {
            for neighbour in IslandsCase.Neighbour.allCases {
                let run = try islands.measure(beside: neighbour)
                runs[neighbour, default: []].append(run)
                say(
                    "HTTP, neighbour \(neighbour.rawValue)", round,
                    "\(significant(run.rate)) requests/s, p99 \(milliseconds(run.p99)) ms")
            }
        }
        let calm = runs[.well] ?? []
        return [
            measurement("HTTP, one point a request, beside a domain", calm)
        ]
            + [IslandsCase.Neighbour.hanging, .dead].map { neighbour in
                measurement(
                    "the same, PostgreSQL of that domain \(neighbour.rawValue)", runs[neighbour] ?? [],
                    beside: calm.map(\.rate))
            }
    }

    // MARK: Latency and start

    private func latency() throws -> [Measurement] {
        let latency = try LatencyCase()
        defer { _ = try? latency.stop() }
        var runs: [(p50: Duration, p99: Duration, cpuPerMillion: Double)] = []
        for round in 1...rounds {
            let run = try latency.run(rate: 10_000, seconds: scaled(15_000) / 1000)
            say(
                "MQTT, 10,000 messages/s", round,
                "p50 \(milliseconds(run.p50)) ms, p99 \(milliseconds(run.p99)) ms, "
                    + "\(number(run.cpuPerMillion, digits: 2)) CPU s per million")
            runs.append(run)
        }
        var result = Measurement(
            "from publishing to commit, 10,000 messages/s, flush.interval 1 s", "ms",
            runs.map { $0.p99 / .milliseconds(1) }, goal: "≤ 1,020")
        result.p50Milliseconds = median(runs.map { $0.p50 / .milliseconds(1) })
        result.p99Milliseconds = result.windrow
        result.cpuSecondsPerMillion = median(runs.map(\.cpuPerMillion))
        return [result]
    }

    private func known() throws -> [Measurement] {
        var runs: [(ready: Duration, atRest: Int, perSeries: Double)] = []
        for round in 1...rounds {
            let known = try KnownSeriesCase(sandbox, series: scaled(1_000_000))
            let run = try known.run()
            try known.drop()
            say(
                "a million series", round,
                "ready after \(milliseconds(run.ready)) ms, \(run.atRest >> 20) MiB with 1,000 known, "
                    + "\(significant(run.perSeries)) bytes for each further one")
            runs.append(run)
        }
        return [
            Measurement(
                "ready, a million series in the database", "ms", runs.map { $0.ready / .milliseconds(1) },
                goal: "≤ 1,000"),
            Measurement(
                "resident at rest, 1,000 series known", "MiB", runs.map { Double($0.atRest) / 1_048_576 }, goal: "≤ 40"),
            Measurement("each further known series, up to a million", "bytes", runs.map(\.perSeries), goal: "≤ 300"),
        ]
    }

    private func journal() throws -> [Measurement] {
        var runs: [(drained: Drained, limit: Double)] = []
        for round in 1...rounds {
            let points = scaled(10_000_000) / 100 * 100
            let writer = try WriteLimit(
                sandbox, Workload(messages: points / 500, pointsPerMessage: 100, series: 1000))
            let limit = try writer.insert()
            try writer.drop()
            let journal = try JournalCase(sandbox, points: points)
            let drained = try journal.run()
            try journal.drop()
            say("ten million points in the journal", round, text(drained, limit))
            runs.append((drained, limit))
        }
        return [
            Measurement(
                "first commit, ten million points in the journal", "ms",
                runs.map { $0.drained.begin / .milliseconds(1) }, goal: "≤ 2,000"),
            measurement("ten million points from the journal", "COPY", runs, goal: "≥ 0.9"),
        ]
    }

    func milliseconds(_ duration: Duration) -> String { number(duration / .milliseconds(1), digits: 1) }
}
