/// A rate that was tried.
public struct SizingStep: Sendable {
    /// Points per second that were offered, and acknowledged.
    public var offered: Double
    public var acknowledged: Double
    /// Milliseconds from sending to acknowledgement.
    public var latency50: Double?
    public var latency99: Double?
    /// Seconds that PostgreSQL was behind at the end; nil if nobody looked.
    public var lag: Double?
    public var isSustained: Bool

    var object: [String: Any] {
        var object: [String: Any] = [
            "offered": rounded(offered), "acknowledged": rounded(acknowledged), "sustained": isSustained,
        ]
        if let latency50, let latency99 {
            object["latency_ms"] = ["p50": rounded(latency50), "p99": rounded(latency99)]
        }
        if let lag { object["lag_seconds"] = rounded(lag) }
        return object
    }

    static func table(_ steps: [SizingStep]) -> [String] {
        func row(_ cells: [String]) -> String {
            cells.map { String(repeating: " ", count: max(14 - $0.count, 1)) + $0 }.joined()
        }
        let rows = steps.map { step in
            row([
                Numbers.grouped(Int(step.offered)), Numbers.grouped(Int(step.acknowledged)),
                Numbers.milliseconds(step.latency50), Numbers.milliseconds(step.latency99),
                step.lag.map { "\(Numbers.decimal($0, 1)) s" } ?? "–", step.isSustained ? "yes" : "no",
            ])
        }
        let best = steps.filter(\.isSustained).map(\.offered).max()
        return [row(["points/s", "acknowledged", "50 % within", "99 % within", "stored behind", "sustained"])] + rows
            + [
                best.map { "sustained     \(Numbers.grouped(Int($0))) points/s" } ?? "sustained     none of these rates"
            ]
    }
}

/// Which rate to try next: doubled until it is too much, then halfway between the last good and the first bad one.
struct Sizing {
    private(set) var steps: [SizingStep] = []
    private var next: Double
    private let refinements: Int

    /// - Parameter first: points per second.
    init(from first: Double, refinements: Int = 3) {
        next = first
        self.refinements = refinements
    }

    /// Nil when it is known well enough.
    var rate: Double? { next > 0 ? next : nil }

    mutating func add(_ step: SizingStep) {
        steps.append(step)
        let good = steps.filter(\.isSustained).map(\.offered).max()
        guard let bad = steps.filter({ !$0.isSustained }).map(\.offered).min() else {
            next = step.offered * 2
            return
        }
        let tried = steps.count - (steps.firstIndex { !$0.isSustained } ?? 0)
        next = tried > refinements ? 0 : ((good ?? 0) + bad) / 2
    }
}
