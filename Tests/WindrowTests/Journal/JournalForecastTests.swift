import Testing

@testable import Windrow

@Suite struct JournalForecastTests {
    private let start = ContinuousClock.now

    /// A sample each second; answers the seconds at which the log was told.
    private func run(
        _ forecast: inout JournalForecast, from first: Int = 0, seconds: Int, capacity: Int, _ bytes: (Int) -> Int
    ) -> [Int] {
        (first..<first + seconds).filter { second in
            forecast.sample(bytes: bytes(second), room: capacity - bytes(second), at: start + .seconds(second))
        }
    }

    @Test("a journal that grows evenly is foreseen to be full when it is, and the log is told as the time shrinks")
    func growth() throws {
        var forecast = JournalForecast()
        // Full after two hours.
        let told = run(&forecast, seconds: 7000, capacity: 7_200_000) { $0 * 1000 }
        #expect(try #require(forecast.timeUntilFull) > .seconds(190))
        #expect(try #require(forecast.timeUntilFull) < .seconds(210))
        #expect(told.count == 4)
        #expect(told[0] == 720, "when a tenth is full")
        #expect((3590...3610).contains(told[1]))
    }

    @Test("one that is trimmed every second and does not grow is never foreseen to be full")
    func sawtooth() {
        var forecast = JournalForecast()
        let told = run(&forecast, seconds: 600, capacity: 1_000_000) { ($0 % 3) * 200_000 }
        #expect(told.isEmpty)
        #expect(forecast.timeUntilFull == nil)
    }

    @Test("after it has shrunk, the next outage is told again")
    func again() {
        var forecast = JournalForecast()
        let first = run(&forecast, seconds: 200, capacity: 1_000_000) { $0 * 1000 }
        let drained = run(&forecast, from: 200, seconds: 300, capacity: 1_000_000) { _ in 0 }
        let second = run(&forecast, from: 500, seconds: 200, capacity: 1_000_000) { ($0 - 500) * 1000 }
        #expect(!first.isEmpty && drained.isEmpty && !second.isEmpty)
    }
}
