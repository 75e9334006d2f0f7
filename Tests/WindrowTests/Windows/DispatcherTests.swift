import LibPQ
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
        defer { fixture.stop() }
        try fixture.waitUntilCommitted(JournalPosition(4))
        await fixture.finish(dispatching, writing)
    }

    @Test("what PostgreSQL turns out to lack at a start is written once more, and nobody makes room of it any more")
    func behindAtStart() async throws {
        let fixture = try WritingFixture(
            holding: (0..<3).map { _ in WritingFixture.batch(points: 1) }, committed: true)
        #expect(fixture.journal.lastKept == JournalPosition(3))
        let dispatching = fixture.startDispatcher()
        defer { fixture.stop() }
        try waitUntil("all of it waits") { fixture.journal.lastKept == .start }
        #expect(fixture.journal.keptBytes == 0)
        let writing = fixture.startLane()
        try fixture.waitUntilCommitted(JournalPosition(3))
        await fixture.finish(dispatching, writing)
    }

    @Test("who rewinds gives up its connection where the lane that it waits for can have no other")
    func rewindYields() async throws {
        let fixture = try WritingFixture()
        let name = try fixture.writer.connection.execute("SELECT current_database()").text(0, 0)
        // The fixture's own, and one more.
        try fixture.writer.asSuperuser { try $0.script("ALTER DATABASE \(name) CONNECTION LIMIT 2") }
        fixture.handoff.wantRewind()
        let dispatching = fixture.startDispatcher()
        defer { fixture.stop() }
        try waitUntil("the lane is told to drop what it has") { !fixture.lane.hasDropped(timeout: .zero) }
        try waitUntil("the dispatcher has the connection") {
            try fixture.writer.connection.execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'windrow catalog'"
            ).count == 1
        }
        // In the place of a lane that has to find out first what became of its last flush.
        let ticket = fixture.database.server.makeTicket()
        let connection = try waitUntil("the dispatcher gives it up", timeout: .seconds(10)) { () -> Connection? in
            do {
                return try fixture.database.connect("lane", ticket)
            } catch let error as PostgresError where error.sqlState == .tooManyConnections {
                return nil
            }
        }
        connection.close()
        let writing = fixture.startLane()
        try waitUntil("the rewind is done") { !fixture.handoff.isRewindWanted }
        await fixture.finish(dispatching, writing)
    }
}
