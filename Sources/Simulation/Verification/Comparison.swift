/// What was acknowledged beside what is stored.
public struct Comparison: Sendable, Equatable {
    /// Points that must be stored.
    public internal(set) var acknowledged = 0
    /// Of those, the ones that are, with the right value.
    public internal(set) var stored = 0
    /// And the ones that are not.
    public internal(set) var missing = 0
    /// There, with a value that is not the last one that was acknowledged.
    public internal(set) var wrong = 0
    /// There, and never sent.
    public internal(set) var unexpected = 0
    /// There, though their acknowledgement did not come: which is as good as not there.
    public internal(set) var unacknowledged = 0
    /// The first differences, for people.
    public internal(set) var examples: [String] = []

    static let exampleLimit = 10

    public var isClean: Bool { missing + wrong + unexpected == 0 }

    static func += (left: inout Comparison, right: Comparison) {
        left.acknowledged += right.acknowledged
        left.stored += right.stored
        left.missing += right.missing
        left.wrong += right.wrong
        left.unexpected += right.unexpected
        left.unacknowledged += right.unacknowledged
        left.examples += right.examples.prefix(exampleLimit - left.examples.count)
    }
}

/// Compares a series, point by point.
struct SeriesComparison {
    private(set) var result = Comparison()
    private var expectation: Expectation
    private var expected: ExpectedPoint?
    private let name: String
    private let residue: Int64

    init(_ plan: Plan, gateway: Int, series: Int, ledger: Ledger) {
        expectation = Expectation(plan, gateway: gateway, series: series, ledger: ledger)
        expected = expectation.next()
        name = "node \(plan.node(gateway, series)) \(plan.fleet.tagNames[plan.tag(series)])"
        residue = plan.residue
    }

    /// Takes the next stored point, in the order of time.
    mutating func take(time: Int64, value: Double) {
        // Another run's, on the same nodes.
        guard (time % 1000 + 1000) % 1000 == residue else { return }
        while let point = expected, point.time < time { miss(point) }
        guard let point = expected, point.time == time else {
            result.unexpected += 1
            return note(time, "\(value) is stored, and was never sent")
        }
        if point.isRequired { result.acknowledged += 1 }
        if !point.allows(value) {
            result.wrong += 1
            note(time, "\(value) is stored instead of \(point.values.map { "\($0)" }.joined(separator: " or "))")
        } else if point.isRequired {
            result.stored += 1
        } else {
            result.unacknowledged += 1
        }
        expected = expectation.next()
    }

    /// Nothing more is stored.
    mutating func finish() {
        while let point = expected { miss(point) }
    }

    private mutating func miss(_ point: ExpectedPoint) {
        if point.isRequired {
            result.acknowledged += 1
            result.missing += 1
            note(point.time, "\(point.values[0]) was acknowledged, and is not stored")
        }
        expected = expectation.next()
    }

    private mutating func note(_ time: Int64, _ what: String) {
        guard result.examples.count < Comparison.exampleLimit else { return }
        result.examples.append("\(name) at \(DateText.string(time)): \(what)")
    }
}
