import Testing

@testable import Simulation

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Chance.mix(state)
    }
}

/// A gateway whose messages got somewhere, and the table that they left there, point by point.
private struct NaiveRun {
    let plan: Plan
    var ledger = Ledger()
    /// By series and time.
    var table: [Int: [Int64: Double]] = [:]

    init(seed: UInt64, gateway: Int = 0) {
        var generator = SeededGenerator(seed: seed)
        var fleet = busyFleet(seed: seed)
        fleet.pointsPerMessage = Int.random(in: 1...4, using: &generator)
        plan = Plan(fleet)
        var itinerary = Itinerary(plan, gateway: gateway)
        let messages = itinerary.next(Int.random(in: 1...800, using: &generator))
        for message in messages { ledger.send(message, at: 0) }
        let answered = Int.random(in: 0...messages.count, using: &generator)
        for message in messages[..<answered] {
            let isRefused = Int.random(in: 0..<20, using: &generator) == 0
            _ = ledger.answer(message.key, isRefused ? .refused : .acknowledged)
            if !isRefused || Bool.random(using: &generator) { apply(message, gateway) }
        }
        // Of what was not answered, all up to some place has got through, and perhaps all up to another one once more.
        let rest = messages[answered...]
        for _ in 0..<2 {
            for message in rest.prefix(Int.random(in: 0...rest.count, using: &generator)) { apply(message, gateway) }
        }
    }

    private mutating func apply(_ message: Message, _ gateway: Int) {
        let seed = plan.seed(gateway, message.series)
        for index in message.first..<(message.first + message.count) {
            let time = message.isOld ? plan.backfillTime(index) : plan.time(gateway, message.series, seed, index)
            let value = Double(Plan.value(seed, message.isOld ? -1 - index : index, version: message.version)) / 100
            if message.overwrites || table[message.series]?[time] == nil {
                table[message.series, default: [:]][time] = value
            }
        }
    }

    func compare(gateway: Int = 0) -> Comparison {
        (0..<plan.series).reduce(into: Comparison()) { sum, series in
            var comparison = SeriesComparison(plan, gateway: gateway, series: series, ledger: ledger)
            for (time, value) in (table[series] ?? [:]).sorted(by: { $0.key < $1.key }) {
                comparison.take(time: time, value: value)
            }
            comparison.finish()
            sum += comparison.result
        }
    }
}

@Suite struct ExpectationTests {
    @Test("whatever of a gateway's messages got through, the table that they leave is what is expected")
    func agrees() {
        for seed in 1...60 as ClosedRange<UInt64> {
            let result = NaiveRun(seed: seed).compare()
            #expect(result.isClean, "seed \(seed): \(result)")
            #expect(result.stored == result.acknowledged, "seed \(seed)")
        }
    }

    @Test("a point that is gone, changed or never sent is found, and told")
    func findsDifferences() throws {
        var found = [0, 0, 0]
        for seed in 1...12 as ClosedRange<UInt64> {
            let run = NaiveRun(seed: seed)
            let clean = run.compare()
            guard clean.acknowledged > 0, let series = run.table.keys.min() else { continue }
            for (time, value) in run.table[series, default: [:]].sorted(by: { $0.key < $1.key }).prefix(5) {
                var gone = run
                gone.table[series]?[time] = nil
                let missing = gone.compare()
                // It need not be there if it was not acknowledged.
                #expect(
                    missing.missing + missing.unacknowledged == 1 + clean.unacknowledged
                        - (missing.missing == 0 ? 2 : 0))
                found[0] += missing.missing
                var changed = run
                changed.table[series]?[time] = value + 0.001
                let wrong = changed.compare()
                #expect(wrong.wrong == 1 && wrong.examples.count == 1)
                found[1] += wrong.wrong
            }
            var more = run
            more.table[series]?[run.plan.time(0, series, run.plan.seed(0, series), 100_000)] = 1
            #expect(more.compare().unexpected == 1)
            // Another run's points are none of ours.
            var other = run
            let stranger = run.plan.time(0, series, run.plan.seed(0, series), 0) + (run.plan.residue == 0 ? 1 : -1)
            other.table[series]?[stranger] = 1
            #expect(other.compare() == clean)
            found[2] += 1
        }
        #expect(found.allSatisfy { $0 >= 5 }, "\(found)")
    }

    @Test("the value must be the last one that was acknowledged, not an earlier one")
    func order() {
        let first = Outcomes.absent.after(version: 0, .acknowledged)
        #expect(first == .value(version: 0))
        #expect(first.after(version: 1, .acknowledged) == .value(version: 1))
        #expect(first.after(version: 1, .open) == [.value(version: 0), .value(version: 1)])
        #expect(first.after(version: 1, .unsent) == first)
        // An insert that comes behind a correction changes nothing.
        #expect(Outcomes.value(version: 1).after(version: 0, .acknowledged) == .value(version: 1))
        #expect(
            Outcomes.absent.after(version: 1, .open).after(version: 0, .acknowledged)
                == [.value(version: 1), .value(version: 0)])
    }
}

@Suite struct LedgerTests {
    private func message(_ position: Int) -> Message {
        Message(key: .init(position, .block), series: 0, first: position, count: 3, version: 0)
    }

    @Test("answers in any order tell what must be stored, what may be and what cannot")
    func states() {
        var ledger = Ledger()
        for position in 0..<10 { ledger.send(message(position), at: Int64(position)) }
        #expect(ledger.pointsUnderWay == 30)
        for position in [1, 0, 2, 5, 4] {
            #expect(
                ledger.answer(message(position).key, position == 1 || position == 4 ? .refused : .acknowledged)?.points
                    == 3)
        }
        #expect(ledger.answer(message(1).key, .acknowledged) == nil)
        #expect(ledger.answer(message(20).key, .acknowledged) == nil)
        func state(_ position: Int) -> Ledger.State { ledger.state(of: message(position).key) }
        #expect(
            (0...10).map(state) == [
                .acknowledged, .open, .acknowledged, .open, .open, .open, .open, .open, .open, .open, .unsent,
            ])
        _ = ledger.answer(message(3).key, .acknowledged)
        #expect((3...6).map(state) == [.acknowledged, .open, .acknowledged, .open])
        #expect(ledger.underWay == 4)
    }

    @Test("refusals without end take no more memory, and nothing refused counts as acknowledged")
    func manyRefusals() {
        var ledger = Ledger()
        for position in 0..<400_000 {
            ledger.send(message(position), at: 0)
            _ = ledger.answer(message(position).key, position % 3 == 0 ? .refused : .acknowledged)
        }
        #expect((0..<400_000).allSatisfy { $0 % 3 != 0 || ledger.state(of: message($0).key) == .open })
        #expect(ledger.state(of: message(100).key) == .acknowledged)
    }
}
