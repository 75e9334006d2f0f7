@testable import Windrow

/// A generator that gives the same numbers for the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Random edits, dense in time so that they meet often.
struct RandomEdits {
    var generator: SeededGenerator
    /// Timestamps lie in 0 ..< `span` microseconds.
    var span: Int64 = 12

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// Points that ascend strictly, inside the range.
    mutating func points(in range: ClosedRange<Int64>, atMost count: Int) -> [Point] {
        let wanted = Int.random(in: 0...count, using: &generator)
        let times = Set((0..<wanted).map { _ in Int64.random(in: range, using: &generator) }).sorted()
        return times.map {
            Point(
                timestamp: Timestamp(microseconds: $0), value: Double(Int.random(in: 0..<1000, using: &generator)))
        }
    }

    /// One edit with a settled range.
    mutating func edit() -> (action: EditAction, points: [Point]) {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4: return (.insert, points(in: 0...span, atMost: 4))
        case 4..<7: return (.update, points(in: 0...span, atMost: 4))
        default:
            let first = Int64.random(in: 0...span, using: &generator)
            let last = Int64.random(in: first...min(span, first + 5), using: &generator)
            let range = TimeRange(first: Timestamp(microseconds: first), last: Timestamp(microseconds: last))
            return (.replace(range), points(in: first...last, atMost: 3))
        }
    }
}
