import Testing

@testable import Simulation

@Suite struct RateTests {
    @Test("a gateway is away for its share of the time, once in each cycle and for the whole length")
    func dropOuts() {
        let dropOuts = DropOuts(share: 0.1, seconds: 10)
        for gateway in 0..<20 {
            var away = 0.0
            var time = 0.0
            while time < 10_000 {
                let next = dropOuts.next(gateway, at: time)
                #expect(abs(next.upperBound - next.lowerBound - 10) < 1e-6)
                #expect(dropOuts.next(gateway, at: next.lowerBound + 5) == next)
                away += 10
                time = next.upperBound
            }
            #expect(abs(away / time - 0.1) < 0.01)
        }
        #expect(DropOuts(share: 0).next(1, at: 100).lowerBound == .infinity)
    }

    @Test("those who are to be woken come in the order of their times, and each once")
    func wakeQueue() {
        for seed in 1...20 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var queue = WakeQueue(count: 50)
            var expected: [Int: Int64] = [:]
            for now in 0..<2000 as Range<Int64> {
                for _ in 0..<3 {
                    let (number, moment) = (
                        Int.random(in: 0..<50, using: &generator), now + Int64.random(in: 0...100, using: &generator)
                    )
                    queue.wake(number, at: moment)
                    expected[number] = min(expected[number] ?? .max, moment)
                }
                while let number = queue.pop(now) {
                    #expect(expected.removeValue(forKey: number).map { $0 <= now } == true, "seed \(seed)")
                }
                #expect(expected.values.allSatisfy { $0 > now }, "seed \(seed)")
            }
        }
    }

    @Test("shares of a histogram are told within an eighth")
    func histogram() {
        var histogram = Histogram()
        #expect(histogram.milliseconds(0.5) == nil)
        for microseconds in 1...100_000 as ClosedRange<Int64> { histogram.add(microseconds: microseconds) }
        for (share, expected) in [(0.5, 50.0), (0.99, 99.0), (0.01, 1.0)] {
            let told = histogram.milliseconds(share) ?? 0
            #expect(told >= expected && told <= expected * 1.126, "\(share): \(told)")
        }
        let before = histogram
        histogram.add(microseconds: 5_000_000)
        #expect((histogram.since(before).milliseconds(0.5) ?? 0) >= 5000)
    }

    @Test(
        "sizing doubles the rate until it is too much, and closes in on what can be kept up",
        arguments: [900, 1000, 37_000, 1_234_567])
    func sizing(capacity: Double) {
        var sizing = Sizing(from: 1000)
        while let rate = sizing.rate {
            sizing.add(SizingStep(offered: rate, acknowledged: min(rate, capacity), isSustained: rate <= capacity))
            #expect(sizing.steps.count < 30)
        }
        let best = sizing.steps.filter(\.isSustained).map(\.offered).max() ?? 0
        #expect(best <= capacity && best >= capacity * 0.85)
    }

    @Test("a step is measured after it has settled, and the next one waits for what it left behind")
    func sizingRun() {
        let second: Int64 = 1_000_000_000
        var run = SizingRun(.init(firstRate: 1000, stepSeconds: 8), begin: 0)
        var tally = Tally()
        #expect(run.advance(second, tally, lag: 0.1) == .nothing)
        #expect(run.advance(2 * second, tally, lag: 0.1) == .nothing)
        (tally.sentPoints, tally.acknowledgedPoints) = (6000, 6000)
        #expect(run.advance(7 * second, tally, lag: 0.1) == .nothing)
        tally.waitingPoints = 10
        #expect(run.advance(8 * second, tally, lag: 0.1) == .rate(1e-6))
        #expect(run.steps.last?.isSustained == true)
        #expect(run.advance(9 * second, tally, lag: 0.1) == .nothing)
        tally.waitingPoints = 0
        #expect(run.advance(10 * second, tally, lag: 4) == .nothing)
        #expect(run.advance(11 * second, tally, lag: 1) == .rate(2000))
        #expect(run.advance(13 * second, tally, lag: 1) == .nothing)
        // Acknowledged, but PostgreSQL falls behind.
        (tally.sentPoints, tally.acknowledgedPoints) = (18_000, 18_000)
        #expect(run.advance(19 * second, tally, lag: 6) == .rate(1e-6))
        #expect(run.steps.last?.isSustained == false)
    }

    @Test("numbers are written for people")
    func numbers() {
        #expect(
            [0, 999, 1000, 1_234_567, -1_234].map(Numbers.grouped) == ["0", "999", "1,000", "1,234,567", "-1,234"])
        #expect(
            [0.04, 9.96, 12.34, 9999, 12_345].map(Numbers.milliseconds) == [
                "0.0 ms", "10.0 ms", "12 ms", "9999 ms", "12.3 s",
            ])
        #expect([3, 75.9, 3700].map(Numbers.duration) == ["3.0 s", "1 min 15 s", "1 h 1 min"])
        #expect([500, 20_000, 30_000_000].map(Numbers.bytes) == ["500 B", "20 kB", "30 MB"])
    }
}
