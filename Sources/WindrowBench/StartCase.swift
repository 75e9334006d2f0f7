import Foundation
import LibPQ
import Windrow
import WindrowTestSupport

/// A million series in the database: how soon the daemon is ready, and what each costs it once it is known.
struct KnownSeriesCase {
    private let drain: Drain
    private let series: Int
    private static let few = 1000

    init(_ sandbox: Sandbox, series: Int) throws {
        self.series = series
        drain = try Drain(sandbox, Workload(messages: series, pointsPerMessage: 1, series: series))
        try drain.makeSeries()
    }

    func drop() throws { try drain.drop() }

    /// From the start of the process until it says that it is ready; resident bytes with a thousand series known; and what each
    /// further one adds.
    func run() throws -> (ready: Duration, atRest: Int, perSeries: Double) {
        let daemon = drain.daemon
        let start = ContinuousClock.now
        try daemon.start()
        try waitUntil("the daemon is ready", every: .milliseconds(5)) { try daemon.get("/readyz").status == 200 }
        let ready = ContinuousClock.now - start
        try publish(Self.few)
        let atRest = daemon.residentMemory
        try publish(series)
        let full = daemon.residentMemory
        try daemon.stop()
        return (ready, atRest, Double(full - atRest) / Double(series - Self.few))
    }

    private func publish(_ count: Int) throws {
        let before = try drain.daemon.metric("windrow_points_received_total") ?? 0
        try drain.publish(first: count)
        try waitUntil("all is stored", timeout: .seconds(300), every: .milliseconds(100)) {
            try drain.daemon.metric("windrow_points_received_total") == before + Double(count)
                && drain.daemon.metric("windrow_points_pending") == 0
        }
    }
}

/// What waits in the journal at the start, because PostgreSQL was away.
struct JournalCase {
    private let sandbox: Sandbox
    private let drain: Drain
    private let workload: Workload

    init(_ sandbox: Sandbox, points: Int) throws {
        self.sandbox = sandbox
        workload = Workload(messages: points / 100, pointsPerMessage: 100, series: 1000)
        drain = try Drain(sandbox, workload)
    }

    func drop() throws { try drain.drop() }

    func run() throws -> Drained {
        let daemon = drain.daemon
        try sandbox.stop(.postgres)
        try daemon.start()
        try drain.publish()
        try waitUntil("all is in the journal", timeout: .seconds(300), every: .milliseconds(100)) {
            try daemon.metric("windrow_points_received_total") == Double(workload.points)
        }
        try daemon.stop()
        try sandbox.start(.postgres)
        return try drain.run()
    }
}
