import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

/// Many domains in one daemon, each with a schema and a subscription of its own: what they take while nothing comes, and how soon a
/// point of each is stored.
struct DomainsCase {
    struct Found {
        /// From the start of the process until it says that it is ready.
        var ready: Duration
        var atRest: ProcessFigures
        /// Percent of a core that the daemon takes at rest.
        var cpu: Double
        /// Context switches a second.
        var switches: Double
        /// To PostgreSQL, at rest.
        var connections: Int
        /// From the first of the messages until a point of each domain is stored.
        var stored: Duration
        /// To PostgreSQL, at most, while they came.
        var mostConnections: Int
        /// Bytes of `/metrics`.
        var metrics: Int
    }

    private let sandbox: Sandbox
    private let domains: Int
    private let database: String
    private let root = "domains\(UInt32.random(in: 0 ... .max))"
    private let daemon: DaemonProcess

    /// At rest begins when the threads of the start have ended.
    private static let settling = 15

    init(_ sandbox: Sandbox, domains: Int) throws {
        self.sandbox = sandbox
        self.domains = domains
        database = try sandbox.makeDatabase()
        daemon = try DaemonProcess(
            domains: (1...domains).map { [database, root] number in
                """
                  domain\(number):
                    postgres: \(database)
                    schema: domain\(number)
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                        client_id: \(root)-\(number)
                        subscriptions:
                          - topic: \(root)-\(number)/{node}/{tag}
                """
            }.joined(separator: "\n"))
    }

    /// - Parameter seconds: of rest that are measured.
    func run(seconds: Int) throws -> Found {
        let start = ContinuousClock.now
        try daemon.start()
        try daemon.waitUntilReady(timeout: .seconds(300))
        let ready = ContinuousClock.now - start
        sleep(UInt32(Self.settling))

        let (before, cpuBefore) = (try daemon.figures(), try daemon.usage().cpu)
        sleep(UInt32(seconds))
        let (atRest, cpuAfter) = (try daemon.figures(), try daemon.usage().cpu)
        let connections = try openConnections()

        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        let published = ContinuousClock.now
        try publisher.publish(domains) { [root] number in ("\(root)-\(number + 1)/1/t", "1.5") }
        var mostConnections = 0
        try waitUntil("a point of each domain is stored", timeout: .seconds(300), every: .milliseconds(20)) {
            mostConnections = max(mostConnections, try openConnections())
            return try storedPoints() == domains
        }
        let stored = ContinuousClock.now - published
        let metrics = try daemon.get("/metrics").body.utf8.count
        try daemon.stop()
        return Found(
            ready: ready, atRest: atRest, cpu: (cpuAfter - cpuBefore) / .seconds(seconds) * 100,
            switches: Double(atRest.switches - before.switches) / Double(seconds), connections: connections,
            stored: stored, mostConnections: mostConnections, metrics: metrics)
    }

    func drop() throws { try sandbox.drop(database) }

    private func storedPoints() throws -> Int {
        try daemon.metrics().reduce(0) { sum, sample in
            sample.key.hasPrefix("windrow_points_inserted_total{") ? sum + Int(sample.value) : sum
        }
    }

    /// As a superuser, who gets a connection when the daemon has all others.
    private func openConnections() throws -> Int {
        let rows = try Connection(sandbox.conninfo(user: "postgres"), applicationName: "bench").execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'windrow %'")
        return Int(try rows.int64(0, 0))
    }
}

extension Bench {
    func domains() throws -> [Measurement] {
        var runs: [Int: [DomainsCase.Found]] = [:]
        let counts = [1, 50, 200]
        for round in 1...rounds {
            for count in counts {
                let domains = try DomainsCase(sandbox, domains: count)
                let found = try domains.run(seconds: max(Int(30 * size), 5))
                try domains.drop()
                say(
                    "\(count) domains", round,
                    "ready after \(milliseconds(found.ready)) ms; at rest \(found.atRest.threads) threads, "
                        + "\(found.atRest.resident >> 20) MiB resident (\(found.atRest.proportional >> 20) PSS, "
                        + "\(found.atRest.own >> 20) USS), \(found.atRest.descriptors) descriptors, "
                        + "\(found.connections) PostgreSQL connections, \(number(found.cpu, digits: 2)) % CPU, "
                        + "\(number(found.switches, digits: 0)) switches/s; a point of each stored after "
                        + "\(milliseconds(found.stored)) ms with \(found.mostConnections) connections; "
                        + "/metrics of \(found.metrics >> 10) KiB")
                runs[count, default: []].append(found)
            }
        }
        func values(_ count: Int, _ value: (DomainsCase.Found) -> Double) -> [Double] { (runs[count] ?? []).map(value) }
        var results: [Measurement] = []
        for count in counts {
            let name = count == 1 ? "1 domain" : "\(count) domains"
            results += [
                Measurement("\(name): ready", "ms", values(count) { $0.ready / .milliseconds(1) }),
                Measurement(
                    "\(name) at rest: resident", "MiB", values(count) { Double($0.atRest.resident) / 1_048_576 }),
                Measurement("\(name) at rest: threads", "threads", values(count) { Double($0.atRest.threads) }),
                Measurement(
                    "\(name) at rest: file descriptors", "descriptors", values(count) { Double($0.atRest.descriptors) }),
                Measurement(
                    "\(name) at rest: PostgreSQL", "connections", values(count) { Double($0.connections) }, goal: "0"),
                Measurement("\(name) at rest: CPU", "% of a core", values(count) { $0.cpu }),
                Measurement("\(name): a point of each stored", "ms", values(count) { $0.stored / .milliseconds(1) }),
            ]
        }
        guard let few = counts.first, let most = counts.last else { return results }
        func each(_ figure: KeyPath<ProcessFigures, Int>) -> [Double] {
            zip(runs[most] ?? [], runs[few] ?? []).map { many, one in
                Double(many.atRest[keyPath: figure] - one.atRest[keyPath: figure]) / Double(most - few)
            }
        }
        return results + [
            Measurement(
                "each further domain at rest: resident", "KiB", each(\.resident).map { $0 / 1024 }, goal: "≤ 1,024"),
            Measurement("each further domain at rest: threads", "threads", each(\.threads)),
        ]
    }
}
