import Foundation
import Synchronization
import Windrow
import WindrowTestSupport

/// Two domains in one daemon, each with servers of its own: how one fares while the other's PostgreSQL fails. The other one gets
/// messages and requests all the while, the same in each state.
final class IslandsCase {
    /// What the other domain's PostgreSQL does.
    enum Neighbour: String, CaseIterable {
        case well
        /// Stopped in the middle of what it does: connections stay open, and nothing answers.
        case hanging
        case dead
    }

    private let neighbour: Sandbox
    private let requests: RequestCase
    private let load: SteadyLoad

    init(_ sandbox: Sandbox) throws {
        neighbour = try Sandbox()
        requests = try RequestCase(
            sandbox,
            others: """
                  other:
                    postgres: \(neighbour.conninfo())
                    keys_file: demo.keys
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(neighbour.mqttPort)
                        client_id: islands
                        subscriptions:
                          - topic: nodes/{node}/{tag}
                """)
        load = SteadyLoad(mqttPort: neighbour.mqttPort, httpPort: requests.daemon.httpPort, domain: "other")
    }

    /// Requests a second of the domain whose PostgreSQL is well, and the time that all but 1 % of them took at most.
    func measure(beside state: Neighbour) throws -> (rate: Double, p50: Duration, p99: Duration) {
        switch state {
        case .well: break
        case .hanging: try signalPostgres(SIGSTOP)
        case .dead: try neighbour.stop(.postgres, kill: true)
        }
        defer { recover(from: state) }
        let before = load.messages
        let result = try requests.small(clients: 32, requests: 32_000)
        guard load.messages > before else { throw FixtureError("the other domain got no messages") }
        return result
    }

    func stop() {
        load.stop()
        _ = try? requests.stop()
    }

    private func recover(from state: Neighbour) {
        switch state {
        case .well: return
        case .hanging: _ = try? signalPostgres(SIGCONT)
        case .dead: _ = try? neighbour.start(.postgres)
        }
        _ = try? requests.daemon.waitUntilReady()
    }

    private func signalPostgres(_ signal: Int32) throws {
        guard let postmaster = neighbour.postgresPID else { throw FixtureError("PostgreSQL does not run") }
        let children = try Command.run("ps", ["--ppid", "\(postmaster)", "-o", "pid="]).output
        for process in [postmaster] + children.split(whereSeparator: \.isWhitespace).compactMap({ Int32($0) }) {
            kill(process, signal)
        }
    }
}

/// What a domain gets until it is stopped: messages and requests at an even pace.
private final class SteadyLoad: Sendable {
    private let isStopping = Atomic(false)
    private let count = Atomic(0)

    /// Messages a second.
    private static let rate = 1000

    var messages: Int { count.load(ordering: .relaxed) }

    init(mqttPort: UInt16, httpPort: UInt16, domain: String) {
        start { try self.publish(to: mqttPort) }
        for node in 1...4 { start { try self.post(to: httpPort, "/\(domain)/api/v1/timeseries?silent=true", node) } }
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
    }

    private func start(_ job: @escaping @Sendable () throws -> Void) {
        Thread {
            do { try job() } catch { print("the other domain's load ended: \(error)") }
        }.start()
    }

    private func publish(to port: UInt16) throws {
        let publisher = try BacklogPublisher(port: port)
        let each = Self.rate / 20
        while !isStopping.load(ordering: .relaxed) {
            let first = messages
            try publisher.publish(each) { number in
                (
                    "nodes/\(number + 1)/t",
                    #"{"v": 1.5, "ts": "\#(Timestamp(microseconds: Int64(first + number) * 1_000_000))"}"#
                )
            }
            count.add(each, ordering: .relaxed)
            usleep(50_000)
        }
    }

    /// Answers are 202 while PostgreSQL does not answer.
    private func post(to port: UInt16, _ path: String, _ node: Int) throws {
        let client = try HTTPConnection(port: port)
        var second = 0
        while !isStopping.load(ordering: .relaxed) {
            let body =
                #"[{"node_id":\#(node),"tag":"posted","data":[{"v":1.5,"ts":"\#(Timestamp(microseconds: Int64(second) * 1_000_000))"}]}]"#
            let status = try client.post(path, body).status
            guard status == 204 || status == 202 else { throw FixtureError("answered \(status)") }
            second += 1
            usleep(20_000)
        }
    }
}
