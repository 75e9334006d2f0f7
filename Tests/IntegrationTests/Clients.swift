import Foundation
import WindrowTestSupport

/// Clients that do their work at the same time.
struct Clients {
    private let threads: [Thread]
    private let outcome = Outcome()

    private final class Outcome: @unchecked Sendable {
        // Sendable unchecked: guarded by the lock.
        private let lock = NSLock()
        private var errors: [String] = []
        private var finished = 0

        func finish(_ error: (any Error)?) {
            lock.withLock {
                finished += 1
                if let error { errors.append("\(error)") }
            }
        }
        var state: (finished: Int, errors: [String]) { lock.withLock { (finished, errors) } }
    }

    init(_ jobs: [@Sendable () throws -> Void]) {
        threads = jobs.map { [outcome] job in
            Thread {
                do {
                    try job()
                    outcome.finish(nil)
                } catch {
                    outcome.finish(error)
                }
            }
        }
        for thread in threads { thread.start() }
    }

    /// Gateways that publish lines on topics of their own, each in order.
    init(_ publisher: Publisher, _ lines: [String: [String]]) {
        self.init(lines.map { topic, lines in { try publisher.publish(lines: lines, on: topic) } })
    }

    var isFinished: Bool { outcome.state.finished == threads.count }

    /// Waits until all are done.
    func wait() throws {
        try waitUntil("the clients finish", timeout: .seconds(120)) { isFinished }
        if !outcome.state.errors.isEmpty { throw FixtureError(outcome.state.errors.joined(separator: "\n")) }
    }
}
