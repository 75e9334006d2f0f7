import LibPQ
import Testing
import WindrowTestSupport

@testable import FuzzTargets
@testable import Windrow

private let journal = NodeUUID(high: 7, low: 7)

/// What flushes write to, and the statements that they use for it.
enum Ground: String, CaseIterable, CustomTestStringConvertible {
    case plain
    case partitions
    /// The statements for a hypertable and for a distributed table, on a plain one: what PostgreSQL itself makes of them.
    case statementsOfTimescaleDB
    case statementsOfCitus
    case timescaledb
    case citus

    var testDescription: String { rawValue }

    var engine: PointEngine {
        switch self {
        case .plain: .plain
        case .partitions: .partitions
        case .statementsOfTimescaleDB, .timescaledb: .timescaledb
        case .statementsOfCitus, .citus: .citus
        }
    }

    /// Whether this PostgreSQL has what it takes; says so when it has not.
    static let found: [Ground] = allCases.filter { ground in
        guard ground == .timescaledb || ground == .citus else { return true }
        let isFound = (try? WriterFixture.hasExtension(ground.rawValue)) ?? false
        if !isFound {
            print("NOT TESTED: \(ground.rawValue) itself; the extension is not installed in this PostgreSQL")
        }
        return isFound
    }

    /// Makes `point`, which is empty, what it is to be.
    func prepare(_ fixture: WriterFixture) throws {
        switch self {
        case .plain, .statementsOfCitus, .statementsOfTimescaleDB: break
        case .partitions:
            // A few microseconds each, so that random edits cross them.
            var sql = "DROP VIEW windrow.timeseries; DROP TABLE windrow.point;"
            sql += fixture.schema.createPoints(isPartitioned: true) + ";" + fixture.schema.createView + ";"
            let bounds = ["MINVALUE"] + [3, 6, 9].map { "'1970-01-01T00:00:00.00000\($0)Z'" } + ["MAXVALUE"]
            for (number, (first, end)) in zip(bounds, bounds.dropFirst()).enumerated() {
                sql +=
                    "CREATE TABLE windrow.p\(number) PARTITION OF windrow.point FOR VALUES FROM (\(first)) TO (\(end));"
            }
            try fixture.connection.script(sql)
        case .timescaledb, .citus:
            try fixture.asSuperuser { try $0.script("CREATE EXTENSION IF NOT EXISTS \(rawValue)") }
            let storage = Configuration.Storage(engine: self == .citus ? .citus : .timescaledb)
            #expect(try PointStorage(storage, fixture.schema).prepare(fixture.connection) == engine)
        }
    }
}

@Suite struct EngineTests {
    /// An edit of one of a test's series.
    private typealias PlacedEdit = (place: Int, edit: (action: EditAction, points: [Point]))

    private func flush(_ fixture: WriterFixture, _ ground: Ground) throws -> Flush {
        try ground.prepare(fixture)
        return Flush(schema: fixture.schema, journal: journal, lane: 0, engine: ground.engine)
    }

    @Test("what `point` is, is looked up in the database", arguments: Ground.found)
    func detection(ground: Ground) throws {
        let fixture = try WriterFixture()
        try ground.prepare(fixture)
        let isPlain = ground == .statementsOfCitus || ground == .statementsOfTimescaleDB
        #expect(try fixture.schema.engine(fixture.connection) == (isPlain ? .plain : ground.engine))
    }

    @Test(
        "any cut of the same edits into flushes gives the same table, and so does replaying a suffix: in PostgreSQL itself",
        arguments: Ground.found)
    func laws(ground: Ground) throws {
        let fixture = try WriterFixture()
        try fixture.connection.script("SET synchronous_commit = off")
        let flush = try flush(fixture, ground)
        var position: Int64 = 0
        var catalog = fixture.catalog()
        for seed in UInt64(0)..<(ground == .plain ? 150 : 60) {
            var random = RandomEdits(seed: seed)
            let names = (1...3).map { seriesName(Int64(seed) * 10 + $0) }
            let ids = try catalog.resolve(names, fixture.connection).compactMap { $0 }
            let edits = (0..<Int.random(in: 2...12, using: &random.generator)).map { _ in
                (place: Int.random(in: 0..<3, using: &random.generator), edit: random.edit())
            }
            var expected = NaiveTable()
            for (place, edit) in edits { expected.apply(edit.action, edit.points, to: names[place]) }

            // Once in random cuts, then a random suffix once more.
            var cuts = Set((1..<edits.count).filter { _ in Bool.random(using: &random.generator) })
            cuts.insert(edits.count)
            let expectsUpdates = Bool.random(using: &random.generator)
            let suffix = Array(edits[Int.random(in: 0..<edits.count, using: &random.generator)...])
            func write(_ edits: [PlacedEdit], cuts: Set<Int>, expectsUpdates: Bool) throws {
                for windows in Self.windows(of: edits, cuts: cuts, ids) {
                    position += 1
                    let newest = try flush.newest(windows, fixture.connection)
                    let outcome = try flush.run(
                        windows, newest: newest, expectsUpdates: expectsUpdates, through: JournalPosition(position),
                        on: fixture.connection
                    ) { _ in }
                    let given = windows.reduce(0) { $0 + $1.window.points.count }
                    #expect(outcome.inserted + outcome.updated + outcome.kept == given, "accounting, seed \(seed)")
                }
            }
            try write(edits, cuts: cuts, expectsUpdates: expectsUpdates)
            try write(suffix, cuts: [suffix.count], expectsUpdates: !expectsUpdates)

            let stored = try fixture.table().filter { names.contains($0.key) }
            #expect(stored == expected.rows, "seed \(seed): \(edits)")
            if stored != expected.rows { return }
        }
    }

    /// The edits, folded and settled at each cut.
    private static func windows(
        of edits: [PlacedEdit], cuts: Set<Int>, _ ids: [SeriesID]
    ) -> [[(id: SeriesID, window: PendingWindow)]] {
        var flushes: [[(id: SeriesID, window: PendingWindow)]] = []
        var pending: [SeriesID: PendingWindow] = [:]
        for (number, (place, edit)) in edits.enumerated() {
            pending[ids[place], default: PendingWindow()].fold(edit.action, edit.points[...])
            guard cuts.contains(number + 1) else { continue }
            flushes.append(
                pending.keys.sorted().map { id in
                    var window = pending[id] ?? PendingWindow()
                    window.settle()
                    return (id: id, window: window)
                })
            pending = [:]
        }
        return flushes
    }

    @Test("what became of the points is counted alike everywhere", arguments: Ground.found)
    func counts(ground: Ground) throws {
        let fixture = try WriterFixture()
        let flush = try flush(fixture, ground)
        var catalog = fixture.catalog()
        let ids = try catalog.resolve([seriesName(1), seriesName(2)], fixture.connection).compactMap { $0 }
        var position: Int64 = 0
        func run(_ edits: [(Int, EditAction, [(Int64, Double)])]) throws -> FlushOutcome {
            position += 1
            let edits = edits.map { place, action, points in
                let points = points.map { Point(timestamp: Timestamp(microseconds: $0.0), value: $0.1) }
                return (place: place, edit: (action: action, points: points))
            }
            let windows = Self.windows(of: edits, cuts: [edits.count], ids)[0]
            return try flush.run(
                windows, newest: flush.newest(windows, fixture.connection), expectsUpdates: false,
                through: JournalPosition(position), on: fixture.connection
            ) { _ in }
        }
        func range(_ first: Int64, _ last: Int64) -> TimeRange {
            TimeRange(first: Timestamp(microseconds: first), last: Timestamp(microseconds: last))
        }

        var outcome = try run([(0, .insert, [(1, 1), (4, 4), (7, 7)]), (1, .insert, [(2, 2), (8, 8)])])
        #expect((outcome.inserted, outcome.updated, outcome.kept) == (5, 0, 0))
        outcome = try run([(0, .update, [(1, 1), (2, 2), (4, 44)]), (1, .insert, [(2, 22), (9, 9)])])
        #expect((outcome.inserted, outcome.updated, outcome.kept) == (2, 1, 2))
        outcome = try run([(0, .replace(range(0, 4)), [(3, 3)]), (1, .replace(range(8, 11)), [])])
        #expect(outcome.deletions.map(\.deleted) == [3, 2])
        #expect(outcome.inserted == 1)
    }

    @Test(
        "every kind of edit goes into compressed chunks, too",
        .enabled(
            if: Ground.found.contains(.timescaledb), "the extension timescaledb is not installed in this PostgreSQL"))
    func compressedChunks() throws {
        let fixture = try WriterFixture()
        try fixture.asSuperuser { try $0.script("CREATE EXTENSION IF NOT EXISTS timescaledb") }
        let storage = Configuration.Storage(engine: .timescaledb, compressAfter: .days(30))
        _ = try PointStorage(storage, fixture.schema).prepare(fixture.connection)
        var catalog = fixture.catalog()
        let ids = try catalog.resolve([seriesName(1)], fixture.connection).compactMap { $0 }
        var session = FlushSession(
            DatabaseAccess(connectionString: Secret(fixture.conninfo), schema: fixture.schema), purpose: "test",
            lane: 0,
            interruption: Interruption(), journal: { journal })
        func write(_ action: EditAction, _ points: [(Int64, Double)], through position: Int64) throws -> FlushOutcome {
            let points = points.map { Point(timestamp: Timestamp(microseconds: $0.0), value: $0.1) }
            let windows = Self.windows(of: [(0, (action, points))], cuts: [1], ids)[0]
            return try session.write(windows, through: JournalPosition(position)) { _, _ in }.outcome
        }
        _ = try write(.insert, (1...2000).map { ($0, 1) }, through: 1)
        try fixture.connection.script("SELECT compress_chunk(c) FROM show_chunks('windrow.point') c")
        #expect(try write(.insert, [(5, 9), (3000, 3)], through: 2).kept == 1)
        #expect(try write(.update, [(5, 9), (2500, 4)], through: 3).updated == 1)
        let range = TimeRange(first: Timestamp(microseconds: 10), last: Timestamp(microseconds: 1999))
        #expect(try write(.replace(range), [(11, 2)], through: 4).deletions.map(\.deleted) == [1990])
        #expect(try fixture.table()[seriesName(1)]?.count == 2000 + 2 - 1990 + 1)
    }

    @Test("a flush opens only the partitions that it touches")
    func pruning() throws {
        let fixture = try WriterFixture()
        let flush = try flush(fixture, .partitions)
        var catalog = fixture.catalog()
        let ids = try catalog.resolve([seriesName(1), seriesName(2)], fixture.connection).compactMap { $0 }
        let edits: [PlacedEdit] = [Int64(4), 5].flatMap { time in
            let points = [Point(timestamp: Timestamp(microseconds: time), value: 1)]
            let range = TimeRange(first: Timestamp(microseconds: 3), last: Timestamp(microseconds: 5))
            return [
                (0, (EditAction.insert, points)), (0, (.update, points)), (1, (.replace(range), points)),
                (1, (.insert, points)),
            ]
        }
        for position in Int64(1)...3 {
            let windows = Self.windows(of: edits, cuts: [edits.count], ids)[0]
            try fixture.connection.script("BEGIN")
            let newest = try flush.newest(windows, fixture.connection)
            try fixture.connection.script("COMMIT")
            var locked: [String] = []
            _ = try flush.run(
                windows, newest: newest, expectsUpdates: position == 3, through: JournalPosition(position),
                on: fixture.connection
            ) { _ in
                let rows = try? fixture.connection.execute(
                    """
                    SELECT DISTINCT c.relname::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                    WHERE l.pid = pg_backend_pid() AND c.relispartition AND c.relkind = 'r'
                    """)
                for row in 0..<(rows?.count ?? 0) { locked.append((try? rows?.text(row, 0)) ?? "") }
            }
            #expect(locked == ["p1"])
        }
    }
}
