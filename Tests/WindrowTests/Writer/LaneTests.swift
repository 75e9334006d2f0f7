import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct LaneTests {
    @Test("what is to be flushed soon does not wait for the interval, also if the lane has not taken it yet")
    func flushSoon() async throws {
        let fixture = try WritingFixture(interval: .seconds(3600))
        var catalog = fixture.writer.catalog()
        let series = try #require(try catalog.resolve([seriesName(1)], fixture.writer.connection).first ?? nil)
        let batch = WritingFixture.batch(points: 1)
        var work = LaneWork(position: JournalPosition(1))
        work.append(batch.edits[0], of: batch, to: series)
        #expect(fixture.budget.acquire(work.cost))
        fixture.lane.give(work)
        fixture.lane.flushSoon()
        let writing = fixture.startLane()
        defer { fixture.lane.stop(within: .seconds(5)) }
        try fixture.waitUntilCommitted(JournalPosition(1))
        fixture.lane.stop(within: .seconds(5))
        await writing.value
        #expect(fixture.budget.used == 0)
    }
}
