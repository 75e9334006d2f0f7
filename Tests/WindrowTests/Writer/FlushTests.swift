import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@testable import FuzzTargets
@testable import Windrow

private func point(_ time: Int64, _ value: Double) -> Point {
    Point(timestamp: Timestamp(microseconds: time), value: value)
}

private func range(_ first: Int64, _ last: Int64) -> TimeRange {
    TimeRange(first: Timestamp(microseconds: first), last: Timestamp(microseconds: last))
}

private func window(_ edits: [(EditAction, [Point])]) -> PendingWindow {
    var window = PendingWindow()
    for (action, points) in edits { window.fold(action, points[...]) }
    window.settle()
    return window
}

private let journal = NodeUUID(high: 7, low: 7)

@Suite struct FlushTests {
    private let fixture: WriterFixture
    private let flush: Flush
    private let series: SeriesID

    init() throws {
        fixture = try WriterFixture()
        flush = Flush(schema: fixture.schema, journal: journal, lane: 0, engine: .plain)
        var catalog = fixture.catalog()
        let connection = fixture.connection
        series = try #require(try catalog.resolve([seriesName(1)], connection).first ?? nil)
    }

    private let positions = Positions()

    /// Positions that ascend, as a lane's do.
    private final class Positions {
        private var last: Int64 = 0
        func next() -> Int64 {
            last += 1
            return last
        }
    }

    private func run(
        _ window: PendingWindow, newest: Newest? = nil, expectsUpdates: Bool = false, through position: Int64? = nil
    ) throws -> FlushOutcome {
        let known = try newest.map { [series: $0] } ?? flush.newest([(series, window)], fixture.connection)
        return try flush.run(
            [(series, window)], newest: known, expectsUpdates: expectsUpdates,
            through: JournalPosition(position ?? positions.next()), on: fixture.connection
        ) { _ in }
    }

    private func stored() throws -> [Int64: Double] {
        var stored: [Int64: Double] = [:]
        for (time, value) in try fixture.table()[seriesName(1)] ?? [:] { stored[time.microseconds] = value }
        return stored
    }

    @Test(
        "each point goes its way, whatever is expected of it, and is counted for what became of it",
        arguments: [false, true])
    func ways(expectsUpdates: Bool) throws {
        var outcome = try run(window([(.insert, [point(10, 1), point(20, 2)])]))
        #expect(outcome.copied == 2 && outcome.inserted == 2)

        outcome = try run(window([(.insert, [point(5, 3), point(10, 9), point(30, 4)])]))
        #expect(outcome.copied == 2 && outcome.inserted == 2 && outcome.kept == 1)

        let update = window([(.update, [point(5, 3), point(10, 9), point(15, 6)])])
        outcome = try run(update, expectsUpdates: expectsUpdates)
        #expect(outcome.copied == 0 && outcome.inserted == 1 && outcome.updated == 1 && outcome.kept == 1)
        #expect(try stored() == [5: 3, 10: 9, 15: 6, 20: 2, 30: 4])

        outcome = try run(window([(.update, [point(5, 7), point(20, 8)])]), expectsUpdates: expectsUpdates)
        #expect(outcome.inserted == 0 && outcome.updated == 2 && outcome.kept == 0)
        #expect(try stored() == [5: 7, 10: 9, 15: 6, 20: 8, 30: 4])
    }

    @Test("points inside a deleted range go by COPY, and the deletion is told range by range")
    func replace() throws {
        _ = try run(window([(.insert, (1...10).map { point($0, Double($0)) })]))
        let outcome = try run(window([(.replace(range(2, 4)), [point(3, 33)]), (.replace(range(8, 9)), [])]))
        #expect(outcome.copied == 1)
        #expect(
            outcome.deletions == [
                FlushOutcome.Deletion(series: series, range: range(2, 4), deleted: 3),
                FlushOutcome.Deletion(series: series, range: range(8, 9), deleted: 2),
            ])
        #expect(try stored() == [1: 1, 3: 33, 5: 5, 6: 6, 7: 7, 10: 10])
    }

    @Test("when another writer was faster than COPY, the flush is rolled back and merged whole")
    func conflict() throws {
        try fixture.connection.execute(
            "INSERT INTO windrow.point VALUES ($1, $2, 7)", [.int4(series.number), .timestamptz(20)])
        let outcome = try run(
            window([(.insert, [point(10, 1), point(20, 2)]), (.update, [point(30, 3)])]), newest: .empty)
        #expect(outcome.wasMergedWhole)
        #expect(outcome.copied == 0 && outcome.inserted == 2 && outcome.kept == 1)
        #expect(try stored() == [10: 1, 20: 7, 30: 3])
    }

    @Test("an insert does not yield to a row that another writer is deleting")
    func concurrentDeletion() throws {
        _ = try run(window([(.insert, [point(10, 1), point(20, 2)])]))
        nonisolated(unsafe) let (other, observer) = (try fixture.connect(), try fixture.connect())
        try other.script("BEGIN; DELETE FROM windrow.point WHERE v = 1")
        Thread.detachNewThread {
            // Only a flush that waits for the deletion sees it committed.
            try? waitUntil("the flush waits", timeout: .seconds(10)) {
                try observer.execute(
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                ).count == 1
            }
            try? other.script("COMMIT")
        }
        #expect(try run(window([(.insert, [point(10, 5)])])).inserted == 1)
        #expect(try stored() == [10: 5, 20: 2])
    }

    @Test("of a window that two daemons replace at the same moment, the points of the later commit alone stay")
    func concurrentReplacement() throws {
        let other = Flush(
            schema: fixture.schema, journal: NodeUUID(high: 8, low: 8), lane: 0, engine: .plain)
        nonisolated(unsafe) let (connection, observer) = (try fixture.connect(), try fixture.connect())
        let hasWritten = DispatchSemaphore(value: 0)
        let isDone = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [series] in
            _ = try? other.run(
                [(series, window([(.replace(range(0, 100)), [point(10, 1)])]))], newest: [series: .empty],
                expectsUpdates: false, through: JournalPosition(1), on: connection
            ) { _ in
                hasWritten.signal()
                // Only a flush that waits for this one deletes what it has written.
                try? waitUntil("the other flush waits", timeout: .seconds(5)) {
                    try observer.execute(
                        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                    ).count == 1
                }
            }
            isDone.signal()
        }
        hasWritten.wait()
        let outcome = try run(window([(.replace(range(0, 100)), [point(20, 2)])]), newest: .empty)
        isDone.wait()
        #expect(outcome.deletions.map(\.deleted) == [1])
        #expect(try stored() == [20: 2])
    }

    @Test("the position is committed with the points, or neither is")
    func position() throws {
        let positions = LanePositions(schema: fixture.schema, journal: journal)
        _ = try run(window([(.insert, [point(1, 1)])]), through: 5)
        #expect(try positions.load(lane: 0, fixture.connection) == JournalPosition(5))

        try fixture.connection.script("ALTER TABLE windrow.point ADD CHECK (v < 100)")
        #expect(throws: PostgresError.self) { try run(window([(.insert, [point(2, 2), point(3, 300)])]), through: 6) }
        #expect(try positions.load(lane: 0, fixture.connection) == JournalPosition(5))
        #expect(try stored() == [1: 1])
    }
}

@Suite struct FlushSessionTests {
    @Test("a flush that stalls because the planner takes the table for an empty one goes through the next time")
    func staleStatistics() throws {
        let fixture = try WriterFixture()
        var catalog = fixture.catalog()
        let series = try #require(try catalog.resolve([seriesName(1)], fixture.connection).first ?? nil)
        let fill = """
            INSERT INTO windrow.point
            SELECT \(series.number), 'epoch'::timestamptz + n * interval '1 us', 1 FROM generate_series(1, 200000) n
            """
        try fixture.connection.script(
            """
            ALTER TABLE windrow.point SET (autovacuum_enabled = false);
            \(fill); DELETE FROM windrow.point WHERE ts < 'epoch'::timestamptz + 200000 * interval '1 us'
            """)
        try fixture.connection.script("VACUUM ANALYZE windrow.point")
        try fixture.connection.script("\(fill) ON CONFLICT DO NOTHING")

        var database = DatabaseAccess(connectionString: Secret(fixture.conninfo), schema: fixture.schema)
        database.statementTimeout = .seconds(1)
        var session = FlushSession(
            database, purpose: "test", lane: 0, interruption: Interruption(), journal: { journal })
        let edits = (1...Int64(5000)).map { (EditAction.replace(range($0 * 9, $0 * 9 + 3)), [point($0 * 9, 2)]) }
        let windows = [(id: series, window: window(edits))]
        let error = #expect(throws: PostgresError.self) {
            try session.write(windows, through: JournalPosition(1)) { _, _ in }
        }
        #expect(error?.sqlState == .queryCanceled)
        session.recover(from: try #require(error))
        let written = try session.write(windows, through: JournalPosition(1)) { _, _ in }
        #expect(written.outcome.inserted == 5000)
    }
}

@Suite struct LanePositionsTests {
    @Test("lanes continue where they were; after a change of their number all start at the lowest position")
    func laneCount() throws {
        let fixture = try WriterFixture()
        let positions = LanePositions(schema: fixture.schema, journal: journal)
        #expect(try positions.load(lanes: 2, fixture.connection) == [.start, .start])
        for (lane, position) in [(0, Int64(5)), (1, 9)] {
            _ = try Flush(schema: fixture.schema, journal: journal, lane: lane, engine: .plain).run(
                [], newest: [:], expectsUpdates: false, through: JournalPosition(position), on: fixture.connection
            ) { _ in }
        }
        #expect(try positions.load(lanes: 2, fixture.connection).map(\.number) == [5, 9])
        #expect(try positions.load(lanes: 3, fixture.connection).map(\.number) == [5, 5, 5])
        #expect(try positions.load(lanes: 1, fixture.connection).map(\.number) == [5])
        let other = LanePositions(schema: fixture.schema, journal: NodeUUID(high: 8, low: 8))
        #expect(try other.load(lanes: 1, fixture.connection) == [.start])
    }
}
