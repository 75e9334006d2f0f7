import LibPQ
import Testing
import WindrowTestSupport

@testable import Windrow

private let journal = NodeUUID(high: 7, low: 8)

@Suite struct OtherPastTests {
    private func session(_ fixture: WriterFixture) -> FlushSession {
        FlushSession(
            DatabaseAccess(connectionString: Secret(fixture.conninfo), schema: fixture.schema), purpose: "test",
            lane: 0, interruption: Interruption(), journal: { journal })
    }

    @Test("a database that lacks what was committed is not written to, also where it does not tell its timeline")
    func behind() throws {
        let fixture = try WriterFixture()
        try fixture.asSuperuser { try $0.script("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC") }
        #expect(try Timeline(of: fixture.connection).name == nil)
        let positions = LanePositions(schema: fixture.schema, journal: journal)
        try positions.store([JournalPosition(5)], fixture.connection)
        var session = session(fixture)
        #expect(throws: OtherPast.self) {
            try session.write([], through: JournalPosition(9), after: JournalPosition(6)) { _, _ in }
        }
        #expect(try positions.load(lanes: 1, fixture.connection) == [JournalPosition(5)])
        _ = try session.write([], through: JournalPosition(9), after: JournalPosition(5)) { _, _ in }
        #expect(try positions.load(lanes: 1, fixture.connection) == [JournalPosition(9)])
    }

    @Test("another number of lanes begins behind all that is known to be written, however far back a lane stands")
    func settled() throws {
        let fixture = try WriterFixture()
        let positions = LanePositions(schema: fixture.schema, journal: journal)
        try positions.store([JournalPosition(100), JournalPosition(3)], fixture.connection)
        #expect(
            try positions.load(lanes: 2, settled: JournalPosition(90), fixture.connection).map(\.number) == [100, 3])
        #expect(
            try positions.load(lanes: 3, settled: JournalPosition(90), fixture.connection).map(\.number)
                == [90, 90, 90])
        #expect(try positions.load(lanes: 1, fixture.connection).map(\.number) == [90])
    }
}
