/// What may be stored at a timestamp: nothing, or one of the values that a point was sent with.
struct Outcomes: OptionSet, Sendable, Equatable {
    let rawValue: UInt8

    static let absent = Outcomes(rawValue: 1)
    static func value(version: Int) -> Outcomes { Outcomes(rawValue: 2 << UInt8(version)) }

    /// What may be there after a message that is as far as the ledger says, with `insert` for version 0, which stays behind what is
    /// there, else with `update_window`, which comes in its place.
    func after(version: Int, _ state: Ledger.State) -> Outcomes {
        let written: Outcomes =
            if version > 0 {
                .value(version: version)
            } else if contains(.absent) {
                subtracting(.absent).union(.value(version: 0))
            } else {
                self
            }
        switch state {
        case .unsent: return self
        case .acknowledged: return written
        case .open: return union(written)
        }
    }
}

/// A point that was sent.
struct ExpectedPoint: Equatable {
    /// Microseconds since 1970-01-01 UTC.
    var time: Int64
    var outcomes: Outcomes
    /// For `Plan.value`.
    fileprivate var index: Int
    fileprivate var seed: UInt64

    var isRequired: Bool { !outcomes.contains(.absent) }

    /// The values that may be there, the newest first.
    var values: [Double] {
        [2, 1, 0].filter { outcomes.contains(.value(version: $0)) }
            .map { Double(Plan.value(seed, index, version: $0)) / 100 }
    }

    func allows(_ value: Double) -> Bool {
        (0...2).contains { version in
            outcomes.contains(.value(version: version))
                && Double(Plan.value(seed, index, version: version)) / 100 == value
        }
    }
}

/// The points of a series that were sent, in the order of time. Takes no memory, whatever their number.
struct Expectation: IteratorProtocol {
    private let plan: Plan
    private let gateway: Int
    private let series: Int
    private let ledger: Ledger
    private let seed: UInt64
    /// Of the next point: an old one first.
    private var oldIndex = 0
    private let oldEnd: Int
    private var index = 0
    private let end: Int
    /// Of the block or the chunk that the next point is in.
    private var outcomes = Outcomes.absent

    init(_ plan: Plan, gateway: Int, series: Int, ledger: Ledger) {
        self.plan = plan
        self.gateway = gateway
        self.series = series
        self.ledger = ledger
        seed = plan.seed(gateway, series)
        oldEnd = gateway < plan.backfillingGateways ? plan.backfillPoints : 0
        let rounds = ledger.sentThrough.map { $0.position / plan.series + 1 } ?? 0
        end = rounds * plan.pointsPerMessage
    }

    /// The range of time that all points lie in, of all series of the gateway; nil if none was sent.
    static func range(_ plan: Plan, gateway: Int, ledger: Ledger) -> ClosedRange<Int64>? {
        guard let last = ledger.sentThrough else { return nil }
        let end = (last.position / plan.series + 1) * plan.pointsPerMessage
        // Old points end before all others begin.
        let first = plan.backfillTime(gateway < plan.backfillingGateways ? 0 : plan.backfillPoints)
        // And none strays as far as the next one.
        return first...plan.time(gateway, plan.series - 1, plan.seed(gateway, plan.series - 1), end)
    }

    mutating func next() -> ExpectedPoint? {
        while oldIndex < oldEnd {
            if oldIndex % Plan.chunk == 0 { outcomes = chunk(oldIndex / Plan.chunk) }
            defer { oldIndex += 1 }
            if outcomes != .absent {
                return ExpectedPoint(
                    time: plan.backfillTime(oldIndex), outcomes: outcomes, index: -1 - oldIndex, seed: seed)
            }
        }
        while index < end {
            if index % plan.pointsPerMessage == 0 { outcomes = block(index / plan.pointsPerMessage) }
            defer { index += 1 }
            if outcomes != .absent {
                return ExpectedPoint(
                    time: plan.time(gateway, series, seed, index), outcomes: outcomes, index: index, seed: seed)
            }
        }
        return nil
    }

    private func chunk(_ number: Int) -> Outcomes {
        Outcomes.absent.after(version: 0, state(number, .old))
    }

    private func block(_ number: Int) -> Outcomes {
        let fate = plan.fate(seed, number)
        var outcomes = Outcomes.absent
        // In the order of sending.
        if !fate.isLate { outcomes = outcomes.after(version: 0, state(number, .block)) }
        if fate.isDuplicated, !fate.isLate {
            outcomes = outcomes.after(version: 0, state(number + Plan.duplicateAfter, .duplicate))
        }
        if fate.isCorrected { outcomes = outcomes.after(version: 1, state(number + Plan.correctionAfter, .correction)) }
        if fate.isLate { outcomes = outcomes.after(version: 0, state(number + Plan.lateBy, .late)) }
        if fate.isDuplicated, fate.isLate {
            outcomes = outcomes.after(version: 0, state(number + Plan.lateBy + Plan.duplicateAfter, .lateDuplicate))
        }
        if fate.isCorrectedTwice {
            outcomes = outcomes.after(version: 2, state(number + Plan.secondCorrectionAfter, .secondCorrection))
        }
        return outcomes
    }

    private func state(_ round: Int, _ slot: Message.Slot) -> Ledger.State {
        ledger.state(of: Message.Key(round * plan.series + series, slot))
    }
}
