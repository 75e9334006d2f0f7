import Foundation
import LibPQ
import Synchronization
import WindrowTestSupport

/// HTTP clients that wait for each answer: one with large requests, or many with small ones.
final class RequestCase {
    private let database: String
    let daemon: DaemonProcess
    private var round = 0

    /// - Parameter others: further domains, indented by two spaces.
    init(_ sandbox: Sandbox, others: String = "") throws {
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

    /// One client, points of `series` series in each request, new ones in the order of time.
    /// - Returns: points a second that were committed.
    func bulk(requests: Int, points: Int, series: Int) throws -> Double {
        round += 1
        // Made beforehand: a client's own work is not what is measured.
        let each = points / series
        let bodies = (0..<requests).map { request in
            let elements = (1...series).map { node in
                let data = (0..<each).map { #"{"v":\#($0).5,"ts":"\#(stamp(request * each + $0))"}"# }
                return #"{"node_id":\#(node),"tag":"bulk \#(round)","data":[\#(data.joined(separator: ","))]}"#
            }
            return Array("[\(elements.joined(separator: ","))]".utf8)
        }
        let client = try HTTPConnection(port: daemon.httpPort)
        let before = try count()
        let start = ContinuousClock.now
        for body in bodies { try expect204(client.post(Self.path, body)) }
        let took = ContinuousClock.now - start
        guard try count() - before == requests * each * series else { throw FixtureError("rows are missing") }
        return Double(requests * each * series) / (took / .seconds(1))
    }

    /// Many clients, one point in each request.
    /// - Returns: committed requests a second, and how long the slowest 1 % took at least.
    func small(clients: Int, requests: Int) throws -> (rate: Double, p99: Duration) {
        round += 1
        let each = requests / clients
        let before = try count()
        let times = Mutex<[Duration]>([])
        let failure = Mutex<(any Error)?>(nil)
        let connections = try (0..<clients).map { _ in Client(try HTTPConnection(port: daemon.httpPort)) }
        let round = round
        let start = ContinuousClock.now
        let threads = connections.enumerated().map { node, client in
            Thread {
                do {
                    var own: [Duration] = []
                    for request in 0..<each {
                        let body =
                            #"[{"node_id":\#(node + 1),"tag":"small \#(round)","data":[{"v":1.5,"ts":"\#(stamp(request))"}]}]"#
                        let sent = ContinuousClock.now
                        try expect204(client.connection.post(Self.path, body))
                        own.append(.now - sent)
                    }
                    times.withLock { $0 += own }
                } catch {
                    failure.withLock { $0 = error }
                }
                client.isDone.store(true, ordering: .releasing)
            }
        }
        for thread in threads { thread.start() }
        while !connections.allSatisfy({ $0.isDone.load(ordering: .acquiring) }) { usleep(1000) }
        let took = ContinuousClock.now - start
        if let error = failure.withLock({ $0 }) { throw error }
        guard try count() - before == each * clients else { throw FixtureError("rows are missing") }
        let sorted = times.withLock { $0.sorted() }
        return (Double(each * clients) / (took / .seconds(1)), sorted[sorted.count * 99 / 100])
    }

    private static let path = "/demo/api/v1/timeseries?silent=true"

    /// A client's connection, which its thread alone uses.
    private final class Client: @unchecked Sendable {
        let connection: HTTPConnection
        let isDone = Atomic(false)

        init(_ connection: HTTPConnection) {
            self.connection = connection
        }
    }

    private func count() throws -> Int {
        let connection = try Connection(database, applicationName: "windrow-bench")
        return Int(try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0))
    }
}

private func expect204(_ response: HTTPConnection.Response) throws {
    guard response.status == 204 else { throw FixtureError("answered \(response.status): \(response.text)") }
}
