import Foundation
import Synchronization

/// How far what was sent is stored, while it is being sent: looked at once a second in the database, on a thread of its own, for the
/// first series of some gateways.
///
/// Sendable unchecked: `store` and `history` belong to the thread.
final class StoredWatch: @unchecked Sendable {
    struct Sight: Sendable {
        /// Of all that was sent, the share that is stored, as far as the looked-at series tell.
        var share = 0.0
        /// How long ago what is stored last was sent, of the gateway that is farthest behind; in seconds.
        var lag = 0.0
        /// Why there is nothing new to be seen.
        var trouble: String?
    }

    private let plan: Plan
    private let target: DatabaseTarget
    private var store: PostgresStore?
    private let sample: [Int]
    /// Of the gateways in the sample: what was sent by when.
    private var history: [Int: [(moment: Int64, position: Int)]] = [:]
    private let input = Mutex<[Int: Int]>([:])
    private let output = Mutex<Sight?>(nil)
    private let stopping = Atomic(false)

    private static let sampleSize = 50

    init(_ plan: Plan, _ target: DatabaseTarget) {
        self.plan = plan
        self.target = target
        let count = min(Self.sampleSize, plan.fleet.gateways)
        sample = (0..<count).map { $0 * plan.fleet.gateways / count }
    }

    func start() {
        let thread = Thread { [self] in
            var next = monotonicNow()
            while !stopping.load(ordering: .acquiring) {
                note(monotonicNow())
                if monotonicNow() >= next {
                    look()
                    next = monotonicNow() + 1_000_000_000
                }
                pause(milliseconds: 100)
            }
        }
        thread.name = "stored"
        thread.start()
    }

    func stop() { stopping.store(true, ordering: .releasing) }

    /// The position that all before is sent, of each gateway.
    func update(_ positions: [Report.Position]) {
        let positions = Dictionary(uniqueKeysWithValues: positions.map { ($0.gateway, $0.sent) })
        input.withLock { $0 = positions }
    }

    /// Nil before the first look.
    var sight: Sight? { output.withLock { $0 } }

    private func note(_ now: Int64) {
        let positions = input.withLock { $0 }
        for gateway in sample {
            let position = positions[gateway] ?? 0
            if history[gateway]?.last?.position != position { history[gateway, default: []].append((now, position)) }
        }
    }

    private func look() {
        do throws(SimulationError) {
            let store = try open()
            self.store = store
            // A reading later than the newest that was sent would be of another run.
            let wanted = sample.compactMap { gateway -> (number: Int, latest: Int64)? in
                guard let sent = history[gateway]?.last?.position, sent > 0 else { return nil }
                let last = ((sent - 1) / plan.series + 1) * plan.pointsPerMessage
                return (gateway, plan.time(gateway, 0, plan.seed(gateway, 0), last))
            }
            let newest = try store.newest(plan, of: wanted)
            let sight = assess(newest)
            output.withLock { $0 = sight }
        } catch {
            store = nil
            output.withLock { $0 = Sight(share: $0?.share ?? 0, lag: $0?.lag ?? 0, trouble: "\(error)") }
        }
    }

    private func open() throws(SimulationError) -> PostgresStore {
        if let store { return store }
        return try PostgresStore(target)
    }

    private func assess(_ newest: [Int: Int64]) -> Sight {
        let now = monotonicNow()
        var (sent, stored, lag) = (0, 0, 0.0)
        for gateway in sample {
            guard var steps = history[gateway], let last = steps.last?.position, last > 0 else { continue }
            let round = newest[gateway].map { self.round(gateway, $0) } ?? -1
            // All before the next turn of the series, as far as that one tells.
            let nextTurn = nextTurn(gateway, after: round) * plan.series
            sent += last
            stored += min(nextTurn, last)
            steps.removeAll { $0.position <= nextTurn }
            if let first = steps.first { lag = max(lag, Double(now - first.moment) / 1e9) }
            history[gateway]?.removeAll { $0.position <= nextTurn && $0.position != last }
        }
        return Sight(share: sent == 0 ? 0 : Double(stored) / Double(sent), lag: lag)
    }

    /// The next round in which the first series sends the block that it has measured.
    private func nextTurn(_ gateway: Int, after round: Int) -> Int {
        let seed = plan.seed(gateway, 0)
        return (round + 1..<round + 100).first { !plan.fate(seed, $0).isLate } ?? round + 100
    }

    /// The round of a reading of the first series.
    private func round(_ gateway: Int, _ time: Int64) -> Int {
        let seed = plan.seed(gateway, 0)
        var (low, high) = (0, ((history[gateway]?.last?.position ?? 0) / plan.series + 2) * plan.pointsPerMessage)
        while low < high {
            let middle = (low + high) / 2
            if plan.time(gateway, 0, seed, middle) < time { low = middle + 1 } else { high = middle }
        }
        return low / plan.pointsPerMessage
    }
}
