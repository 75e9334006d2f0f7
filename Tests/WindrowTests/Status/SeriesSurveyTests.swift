import Testing
import WindrowTestSupport

@testable import Windrow

private func windows(_ series: some Sequence<Int32>, _ second: Int64) -> [(id: SeriesID, window: PendingWindow)] {
    let points = [Point(timestamp: Timestamp(microseconds: second * 1_000_000), value: Double(second))]
    return series.map { number in
        var window = PendingWindow()
        window.fold(.insert, points[...])
        window.settle()
        return (SeriesID(number), window)
    }
}

/// Paces of series that came every ten seconds, each until another second.
private func paces(_ lastSeconds: [Int]) -> [SeriesPace] {
    func point(_ second: Int) -> Point {
        Point(timestamp: Timestamp(microseconds: Int64(second) * 1_000_000), value: Double(second))
    }
    return lastSeconds.enumerated().map { number, last in
        var pace = SeriesPace(SeriesID(Int32(number)), newest: point(0), at: 0)
        for second in stride(from: 10, through: last, by: 10) {
            pace.heard(
                point(second), count: 1, at: SeriesPace.Tick(second * 10), now: Timestamp(microseconds: .max),
                silentAfter: 60)
        }
        return pace
    }
}

private let settings = Live(Configuration.Domain(name: "demo", postgres: Secret(""), brokers: []))

@Suite struct SeriesSurveyTests {
    @Test("the silent come first, of these the one first that fell silent last; then the latest by their own pace")
    func silentFirst() {
        var survey = SeriesSurvey(.silence, limit: 4)
        survey.add(paces([1000, 500, 980, 900, 990]), at: 10_000, silentAfter: 60)
        survey.finish()
        #expect(survey.active == 5)
        #expect(survey.silent == 2)
        #expect(survey.rows.map(\.pace.id.number) == [3, 1, 2, 4])
        #expect(survey.rows.map(\.isSilent) == [true, true, false, false])
    }

    @Test("the first of an order are found among many, whatever order they are seen in")
    func firstOfMany() {
        for order in SeriesSurvey.Order.allCases {
            let all = paces((0..<500).map { 100 + ($0 * 7919) % 900 })
            var survey = SeriesSurvey(order, limit: 10)
            var whole = SeriesSurvey(order, limit: 500)
            for start in stride(from: 0, to: 500, by: 50) {
                survey.add(Array(all[start..<start + 50]), at: 10_000, silentAfter: 60)
            }
            whole.add(all, at: 10_000, silentAfter: 60)
            survey.finish()
            whole.finish()
            #expect(survey.rows.count == 10)
            #expect(survey.rows.map(\.quiet) == whole.rows.prefix(10).map(\.quiet), "\(order)")
        }
    }

    @Test("what lanes have written is found, and time in which PostgreSQL does not work is not counted")
    func lanes() throws {
        let health = DomainHealth(expected: [(.postgres, "catalog")])
        let lane = SeriesActivity(settings, health: health)
        #expect(lane.tick == 0)
        health.set(.postgres, "catalog", .working)
        for second in Int64(1)...4 {
            lane.stored(windows([7, 9], second))
            try waitUntil("time passes") { lane.tick >= SeriesPace.Tick(second) }
        }
        #expect(lane[SeriesID(7)]?.value == 4)
        #expect(lane[SeriesID(8)] == nil)
        #expect(SeriesSurvey(of: [lane], .recent, limit: 10).rows.count == 2)
        health.set(.postgres, "lane 0", .failing("away"))
        let stopped = lane.tick
        let start = ContinuousClock.now
        try waitUntil("real time passes") { .now - start > .milliseconds(300) }
        #expect(lane.tick == stopped)
        health.set(.postgres, "lane 0", .working)
        try waitUntil("time goes on") { lane.tick > stopped }
    }

    @Test("a look at half a million series holds up no lane that writes")
    func many() async throws {
        let health = DomainHealth(expected: [])
        health.set(.postgres, "catalog", .working)
        let lane = SeriesActivity(settings, health: health)
        for start in stride(from: Int32(0), to: 500_000, by: 50_000) { lane.stored(windows(start..<start + 50_000, 1)) }
        let isLooking = Monitor(true)
        let longest = await withTaskGroup(of: Duration?.self) { group in
            group.addTask {
                let survey = SeriesSurvey(of: [lane], .silence, limit: 200)
                isLooking.withLock { $0 = false }
                #expect(survey.active >= 500_000)
                #expect(survey.rows.count == 200)
                return nil
            }
            group.addTask {
                let few = windows(0..<10, 2)
                var longest = Duration.zero
                while isLooking.withLock({ $0 }) {
                    let start = ContinuousClock.now
                    lane.stored(few)
                    longest = max(longest, .now - start)
                }
                return longest
            }
            return await group.reduce(Duration.zero) { max($0, $1 ?? .zero) }
        }
        // Not optimised, and with other processes on the machine; a look takes many times as long.
        #expect(longest < .milliseconds(200))
    }
}
