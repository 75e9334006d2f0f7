import Foundation
import LibPQ
import Synchronization
import Testing
import WindrowTestSupport

/// Many domains in one daemon, on a PostgreSQL that has fewer connections for them than there are domains.
@Suite struct DomainsTests {
    private struct Fleet {
        let sandbox: Sandbox
        let daemon: DaemonProcess
        let publisher: Publisher
        let size: Int
        /// Its role in PostgreSQL, and its database.
        let role: String

        /// - Parameters:
        ///   - connections: that PostgreSQL has for all of them together.
        ///   - sharesEverySecond: whether the topics of every second one are shared subscriptions.
        ///   - slowest: a domain that flushes once an hour.
        init(
            sandbox: Sandbox = .shared, size: Int, connections: Int, sharesEverySecond: Bool = false,
            slowest: Int? = nil
        ) throws {
            let role = "fleet_\(UUID().uuidString.prefix(8).lowercased())"
            let superuser = try Connection(sandbox.conninfo(user: "postgres"), applicationName: "windrow tests")
            try superuser.execute("CREATE ROLE \(role) LOGIN CONNECTION LIMIT \(connections)")
            try superuser.execute("CREATE DATABASE \(role) OWNER \(role)")
            self.sandbox = sandbox
            self.size = size
            self.role = role
            publisher = Publisher(sandbox)
            daemon = try DaemonProcess(
                domains: (1...size).map { number in
                    """
                      d\(number):
                        postgres: \(sandbox.conninfo(database: role, user: role))
                        schema: d\(number)
                        keys_file: demo.keys
                        flush: {interval: \(number == slowest ? "1h" : "100ms")}
                        mqtt:
                          - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                            client_id: \(role)-\(number)
                            subscriptions:
                              - topic: \(sharesEverySecond && number % 2 == 0 ? "$share/\(role)/" : "")\(role)/d\(number)/{node}/{tag}
                    """
                }.joined(separator: "\n"))
        }

        func topic(_ number: Int) -> String { "\(role)/d\(number)/1/t" }

        /// A message to each domain.
        func publishToAll() throws {
            try BacklogPublisher(port: sandbox.mqttPort).publish(size) { (topic($0 + 1), "2") }
        }

        /// But for that of the status page.
        func openConnections() throws -> Int {
            let rows = try Connection(sandbox.conninfo(user: "postgres"), applicationName: "windrow tests").execute(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND application_name <> 'windrow status page'",
                [.text(role)])
            return Int(try rows.int64(0, 0))
        }

        /// The points that each domain has stored.
        func stored() throws -> [Int] {
            let metrics = try daemon.metrics()
            return (1...size).map { Int(metrics["windrow_points_inserted_total{domain=\"d\($0)\"}"] ?? 0) }
        }
    }

    @Test(
        "domains at rest take a thread each and no connection, their status page finds one of many, and each stores what comes at once"
    )
    func rest() throws {
        let (size, connections) = (40, 17)
        let fleet = try Fleet(size: size, connections: connections)
        try fleet.daemon.startAndWait()
        try checkStatus(of: fleet)
        try waitUntil("the threads of the start end", timeout: .seconds(20)) {
            try fleet.daemon.figures().threads <= size + 20
        }
        #expect(try fleet.openConnections() == 0)
        #expect(try fleet.daemon.figures().descriptors <= size * 12 + 60)
        let start = ContinuousClock.now
        try fleet.publisher.publish("1", on: fleet.topic(7))
        try waitUntil("a point is stored", every: .milliseconds(10)) { try fleet.stored()[6] == 1 }
        #expect(ContinuousClock.now - start < .seconds(5))

        // More need a connection than there are, which is told; all of them get on.
        try fleet.publishToAll()
        try waitUntil("each domain has stored a point", timeout: .seconds(20)) {
            try fleet.stored().enumerated().allSatisfy { $0.element == ($0.offset == 6 ? 2 : 1) }
        }
        #expect(try fleet.openConnections() <= connections)
        try fleet.daemon.waitUntilLogged("PostgreSQL takes no more connections; the domains there take turns")
        try fleet.daemon.waitUntilLogged("raise max_connections")
        #expect(!fleet.daemon.log.contains("cannot flush"))
        #expect(try fleet.daemon.get("/readyz").status == 200)
    }

    private func checkStatus(of fleet: Fleet) throws {
        #expect(try fleet.daemon.get("/api/status").body.utf8.count < fleet.size * 400)
        #expect(try fleet.daemon.get("/metrics").body.utf8.count < fleet.size * 12_000)
        let browser = try Browser()
        try browser.open("http://127.0.0.1:\(fleet.daemon.adminPort)/#d33")
        try waitUntil("they are counted", timeout: .seconds(20)) {
            try browser.text("#domains-counts") == "40, and all of them work."
        }
        let isSeen = """
            const [row, box] = ['tr[aria-current]', '.scroll'].map((name) => document.querySelector('#domains ' + name).getBoundingClientRect());
            return row.top >= box.top && row.bottom <= box.bottom
            """
        #expect(try browser.run(isSeen) as? Bool == true)
        #expect(try browser.text("#domains tr[aria-current] th") == "d33")
        #expect(try browser.text("#domain") == "Domain d33")
        try browser.run("document.querySelector('#domain-search').focus()")
        try browser.press("D", "3", "9")
        try waitUntil("one is found") {
            try browser.run(
                "return [...document.querySelectorAll('#domains tbody th')].map((cell) => cell.textContent)")
                as? [String] == ["d39"]
        }
        #expect(try browser.console() == [])
    }

    @Test(
        "with one connection for all of them busy domains take turns, those with shared subscriptions, a slow one, and readers too"
    )
    func turns() throws {
        let fleet = try Fleet(size: 6, connections: 1, sharesEverySecond: true, slowest: 6)
        try fleet.daemon.start()
        let client = try waitUntil("it listens") { try? HTTPConnection(port: fleet.daemon.httpPort) }
        // The slow one's lane has the connection, and would keep it for what is pending.
        func call(_ number: Int, _ query: String) -> String { "/d\(number)/api/v1/timeseries?\(query)" }
        try waitUntil("the slow one has written") {
            try client.post(
                call(6, "silent=true"),
                #"[{"node_id": 1, "tag": "t", "data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}]}]"#
            )
            .status == 204
        }
        try fleet.publisher.publish("1", on: fleet.topic(6))

        let load = LoadFlag()
        let clients = Clients([
            { [topics = (1...5).map(fleet.topic), port = fleet.sandbox.mqttPort] in
                while !load.isDone {
                    try BacklogPublisher(port: port).publish(topics.count) { (topics[$0], "3") }
                    usleep(100_000)
                }
            }
        ])
        defer { load.end() }
        try waitUntil("each of them stores on and on", timeout: .seconds(30)) {
            try fleet.stored().prefix(5).allSatisfy { $0 >= 8 }
        }
        #expect(try client.get(call(1, "node_id=1&tag=t")).status == 200)
        #expect(try fleet.daemon.get("/readyz").status == 200)
        load.end()
        try clients.wait()
        #expect(try fleet.daemon.stop(timeout: .seconds(30)) == 0)
    }

    @Test("when one domain finds PostgreSQL away, all domains there say so, and all are back with it")
    func outage() throws {
        let size = 24
        let fleet = try Fleet(sandbox: Sandbox(), size: size, connections: 17)
        try fleet.daemon.startAndWait()
        try fleet.sandbox.stop(.postgres)
        try fleet.publisher.publish("1", on: fleet.topic(1))
        // Looked at one after the other, the last one would be known after as many seconds as there are domains.
        try waitUntil("all know", timeout: .seconds(8)) {
            try fleet.daemon.get("/readyz").body.split(separator: "\n").count { $0.contains("postgres catalog") }
                == size
        }
        try fleet.sandbox.start(.postgres)
        try fleet.daemon.waitUntilReady(timeout: .seconds(30))
        try waitUntil("it is stored") { try fleet.stored()[0] == 1 }
        #expect(try fleet.openConnections() < 17)
    }
}

/// Tells a thread that gives load to end.
final class LoadFlag: Sendable {
    private let done = Atomic(false)

    var isDone: Bool { done.load(ordering: .acquiring) }
    func end() { done.store(true, ordering: .releasing) }
}
