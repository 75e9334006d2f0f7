import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct DispatcherTests {
    @Test("memory that a batch waits for is given back long before the interval has passed, whatever holds it")
    func memory() async throws {
        let small = WritingFixture.batch(points: 1)
        var work = LaneWork(position: .start)
        work.append(small.edits[0], of: small, to: SeriesID(1))
        // Of three small ones two are a flush, and the third is left. The large one needs all the memory there is.
        let fixture = try WritingFixture(
            interval: .seconds(3600), maxPoints: 2,
            holding: [small, small, small, WritingFixture.batch(points: 1000)],
            memory: 4 * LaneWork.highestCost(of: small))
        let dispatching = fixture.startDispatcher()
        try waitUntil("the small ones are with the lane") { fixture.budget.used == 3 * work.cost }
        let writing = fixture.startLane()
        defer {
            fixture.dispatcher.stop()
            fixture.lane.stop(within: .seconds(5))
        }
        try fixture.waitUntilCommitted(JournalPosition(4))
        fixture.dispatcher.stop()
        await dispatching.value
        fixture.lane.stop(within: .seconds(5))
        await writing.value
    }
}
