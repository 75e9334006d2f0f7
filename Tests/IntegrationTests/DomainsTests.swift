import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// Many domains in one daemon, on a PostgreSQL that has fewer connections than there are domains.
@Suite struct DomainsTests {
    private struct Fleet {
        let sandbox: Sandbox
        let daemon: DaemonProcess
        let publisher: Publisher

        static let size = 40
        /// Of PostgreSQL; three are for superusers.
        static let connections = 20

        init() throws {
            sandbox = try Sandbox()
            try Connection(sandbox.conninfo(user: "postgres"), applicationName: "windrow tests")
                .execute("ALTER SYSTEM SET max_connections = \(Self.connections)")
            try sandbox.stop(.postgres)
            try sandbox.start(.postgres)
            publisher = Publisher(sandbox)
            daemon = try DaemonProcess(
                domains: (1...Self.size).map { [sandbox] number in
                    """
                      d\(number):
                        postgres: \(sandbox.conninfo())
                        schema: d\(number)
                        flush: {interval: 100ms}
                        mqtt:
                          - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                            client_id: d\(number)
                            subscriptions:
                              - topic: d\(number)/{node}/{tag}
                    """
                }.joined(separator: "\n"))
        }

        func openConnections() throws -> Int {
            let rows = try Connection(sandbox.conninfo(user: "postgres"), applicationName: "tests").execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'windrow %'")
            return Int(try rows.int64(0, 0))
        }

        /// The points that each domain has stored.
        func stored() throws -> [Int] {
            let metrics = try daemon.metrics()
            return (1...Self.size).map { Int(metrics["windrow_points_inserted_total{domain=\"d\($0)\"}"] ?? 0) }
        }
    }

    @Test("domains at rest take a thread each and no connection, and each stores what comes at once")
    func rest() throws {
        let fleet = try Fleet()
        try fleet.daemon.startAndWait()
        try waitUntil("the threads of the start end", timeout: .seconds(20)) {
            try fleet.daemon.figures().threads <= Fleet.size + 20
        }
        #expect(try fleet.openConnections() == 0)
        #expect(try fleet.daemon.figures().descriptors <= Fleet.size * 12 + 60)
        let start = ContinuousClock.now
        try fleet.publisher.publish("1", on: "d7/1/t")
        try waitUntil("a point is stored", every: .milliseconds(10)) { try fleet.stored()[6] == 1 }
        #expect(ContinuousClock.now - start < .seconds(5))

        // More need a connection than there are, which is told; all of them get on.
        for number in 1...Fleet.size { try fleet.publisher.publish("2", on: "d\(number)/1/t") }
        try waitUntil("each domain has stored a point", timeout: .seconds(20)) {
            try fleet.stored().enumerated().allSatisfy { $0.element == ($0.offset == 6 ? 2 : 1) }
        }
        #expect(try fleet.openConnections() <= Fleet.connections - 3)
        #expect(fleet.daemon.log.contains("PostgreSQL takes no more connections; the domains there take turns"))
        #expect(fleet.daemon.log.contains("raise max_connections"))
        #expect(!fleet.daemon.log.contains("cannot flush"))
        #expect(try fleet.daemon.get("/readyz").status == 200)
    }

    @Test("when one domain finds PostgreSQL away, all domains there say so, and all are back with it")
    func outage() throws {
        let fleet = try Fleet()
        try fleet.daemon.startAndWait()
        try fleet.sandbox.stop(.postgres)
        // Looked at one after the other, the last one would be known after as many seconds as there are domains.
        try waitUntil("all know", timeout: .seconds(15)) {
            try fleet.daemon.get("/readyz").body.split(separator: "\n").count { $0.contains("postgres catalog") }
                == Fleet.size
        }
        try fleet.sandbox.start(.postgres)
        try fleet.daemon.waitUntilReady(timeout: .seconds(30))
        #expect(try fleet.openConnections() < Fleet.connections)
    }
}
