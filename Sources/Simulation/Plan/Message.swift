/// A message of a gateway's: points of one series.
struct Message: Equatable, Sendable {
    /// Its place in the gateway's sequence; ascending, with gaps.
    var key: Key
    var series: Int
    /// The first of its points, and how many there are.
    var first: Int
    var count: Int
    /// 0 as measured, 1 corrected, 2 corrected again.
    var version: Int
    var isOld = false

    /// Corrections overwrite, all else inserts.
    var overwrites: Bool { version > 0 }

    /// Position and slot in one number.
    struct Key: RawRepresentable, Comparable, Hashable, Sendable {
        var rawValue: UInt64

        init(rawValue: UInt64) { self.rawValue = rawValue }
        init(_ position: Int, _ slot: Slot) { rawValue = UInt64(position) << 3 | UInt64(slot.rawValue) }

        var position: Int { Int(rawValue >> 3) }

        static func < (a: Key, b: Key) -> Bool { a.rawValue < b.rawValue }
    }

    /// What is sent at a position, in this order.
    enum Slot: UInt8 {
        case block, late, lateDuplicate, duplicate, correction, secondCorrection, old
    }
}

/// Walks through what a gateway sends, in its order.
struct Itinerary {
    let plan: Plan
    let gateway: Int
    /// The position of the next message.
    private(set) var position = -1
    /// What is left of the position, the next one last.
    private var left: [Message] = []

    init(_ plan: Plan, gateway: Int) {
        self.plan = plan
        self.gateway = gateway
        findNext()
    }

    /// Whether the plan has ended.
    var isAtEnd: Bool { left.isEmpty }

    mutating func next() -> Message? {
        guard let message = left.popLast() else { return nil }
        if left.isEmpty { findNext() }
        return message
    }

    private mutating func findNext() {
        // At some there is nothing, such as when a block is late.
        while left.isEmpty {
            if let end = plan.positions, position + 1 >= end { return }
            position += 1
            gather()
        }
    }

    private mutating func gather() {
        let (round, series) = position.quotientAndRemainder(dividingBy: plan.series)
        if plan.isPlain {
            left.append(block(round, .block, series))
        } else {
            gather(round, series, plan.seed(gateway, series))
        }
        let chunks = plan.chunks(of: gateway)
        if round < chunks {
            let first = round * Plan.chunk
            // Behind all others.
            left.insert(
                Message(
                    key: .init(position, .old), series: series, first: first,
                    count: min(Plan.chunk, plan.backfillPoints - first), version: 0, isOld: true), at: 0)
        }
    }

    /// In reverse.
    private mutating func gather(_ round: Int, _ series: Int, _ seed: UInt64) {
        func fate(_ rounds: Int) -> Plan.Fate? { round >= rounds ? plan.fate(seed, round - rounds) : nil }
        if let fate = fate(Plan.secondCorrectionAfter), fate.isCorrectedTwice {
            left.append(block(round - Plan.secondCorrectionAfter, .secondCorrection, series, version: 2))
        }
        if let fate = fate(Plan.correctionAfter), fate.isCorrected {
            left.append(block(round - Plan.correctionAfter, .correction, series, version: 1))
        }
        if let fate = fate(Plan.duplicateAfter), fate.isDuplicated, !fate.isLate {
            left.append(block(round - Plan.duplicateAfter, .duplicate, series))
        }
        let lateDuplicate = Plan.lateBy + Plan.duplicateAfter
        if let fate = fate(lateDuplicate), fate.isDuplicated, fate.isLate {
            left.append(block(round - lateDuplicate, .lateDuplicate, series))
        }
        if let fate = fate(Plan.lateBy), fate.isLate { left.append(block(round - Plan.lateBy, .late, series)) }
        if let fate = fate(0), !fate.isLate { left.append(block(round, .block, series)) }
    }

    private func block(_ block: Int, _ slot: Message.Slot, _ series: Int, version: Int = 0) -> Message {
        Message(
            key: .init(position, slot), series: series, first: block * plan.pointsPerMessage,
            count: plan.pointsPerMessage, version: version)
    }
}
