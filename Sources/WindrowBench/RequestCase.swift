import Foundation
import LibPQ
import Synchronization
import Windrow
import WindrowTestSupport

/// HTTP clients that wait for each answer: one with large requests, or many with small ones.
final class RequestCase {
    private let sandbox: Sandbox
    private let database: String
    let daemon: DaemonProcess
    private var round = 0

    /// - Parameter others: further domains, indented by two spaces.
    init(_ sandbox: Sandbox, others: String = "") throws {
        self.sandbox = sandbox
        database = try sandbox.makeDatabase()
        daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: \(database)
                    keys_file: demo.keys
                \(others)
                """)
        try daemon.startAndWait()
    }

    func stop() throws {
        try daemon.stop()
    }

    /// Clients that post points of `series` series in each request, each client series of its own, in the order of time.
    /// - Returns: points a second that were committed.
    func bulk(clients: Int, requests: Int, points: Int, series: Int) throws -> Double {
        round += 1
        // Made beforehand: a client's own work is not what is measured.
        let each = points / series
        let work = try (0..<clients).map { client in
            let bodies = (0..<requests).map { request in
                let elements = (0..<series).map { number in
                    let data = (0..<each).map { #"{"v":\#($0).5,"ts":"\#(stamp(request * each + $0))"}"# }
                    let node = client * series + number + 1
                    return #"{"node_id":\#(node),"tag":"bulk \#(round)","data":[\#(data.joined(separator: ","))]}"#
                }
                return Array("[\(elements.joined(separator: ","))]".utf8)
            }
            return Client(try HTTPConnection(port: daemon.httpPort), bodies)
        }
        try sandbox.checkpoint()
        let before = try sandbox.rowCount(database)
        let start = ContinuousClock.now
        try concurrently(work) { client in
            for body in client.bodies { try expect204(client.connection.post(Self.path, body)) }
        }
        let took = ContinuousClock.now - start
        let expected = clients * requests * each * series
        guard try sandbox.rowCount(database) - before == expected else { throw FixtureError("rows are missing") }
        return Double(expected) / (took / .seconds(1))
    }

    /// Many clients, one point in each request.
    /// - Returns: committed requests a second, and how long half of them and all but 1 % of them took at most.
    func small(clients: Int, requests: Int) throws -> (rate: Double, p50: Duration, p99: Duration) {
        round += 1
        let each = requests / clients
        let work = try (0..<clients).map { node in
            let bodies = (0..<each).map { request in
                Array(
                    #"[{"node_id":\#(node + 1),"tag":"small \#(round)","data":[{"v":1.5,"ts":"\#(stamp(request))"}]}]"#
                        .utf8)
            }
            return Client(try HTTPConnection(port: daemon.httpPort), bodies)
        }
        let before = try sandbox.rowCount(database)
        let times = Mutex<[Duration]>([])
        let start = ContinuousClock.now
        try concurrently(work) { client in
            let own = try client.bodies.map { body in
                let sent = ContinuousClock.now
                try expect204(client.connection.post(Self.path, body))
                return .now - sent
            }
            times.withLock { $0 += own }
        }
        let took = ContinuousClock.now - start
        guard try sandbox.rowCount(database) - before == each * clients else { throw FixtureError("rows are missing") }
        let sorted = times.withLock { $0.sorted() }
        return (Double(sorted.count) / (took / .seconds(1)), sorted[sorted.count / 2], sorted[sorted.count * 99 / 100])
    }

    private static let path = "/demo/api/v1/timeseries?silent=true"

    /// A client's connection, which its thread alone uses.
    private final class Client: @unchecked Sendable {
        let connection: HTTPConnection
        let bodies: [[UInt8]]

        init(_ connection: HTTPConnection, _ bodies: [[UInt8]]) {
            self.connection = connection
            self.bodies = bodies
        }
    }
}

private func stamp(_ second: Int) -> Timestamp {
    Timestamp(microseconds: 1_672_531_200_000_000 + Int64(second) * 1_000_000)
}

private func expect204(_ response: HTTPConnection.Response) throws {
    guard response.status == 204 else { throw FixtureError("answered \(response.status): \(response.text)") }
}
