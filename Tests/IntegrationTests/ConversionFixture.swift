import Foundation
import LibPQ
import WindrowTestSupport

/// A daemon whose table of points is plain, and `windrow migrate` to convert it to partitions.
struct Conversion {
    let station: Station
    private let folder: TemporaryFolder

    /// - Parameter rows: points that are there before, of 20 series from 1001 on, a minute apart.
    init(rows: Int, _ sandbox: Sandbox = .shared) throws {
        station = try Station(sandbox: sandbox, domain: "    storage: {engine: plain}\n    lanes: 2")
        folder = try TemporaryFolder("windrow-conversion")
        try asAdministrator(
            """
            CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;
            GRANT ALL ON SCHEMA partman TO windrow; GRANT ALL ON ALL TABLES IN SCHEMA partman TO windrow
            """)
        try run()
        try connect().execute(
            """
            INSERT INTO windrow.point SELECT 1001 + n % 20, '2022-01-01Z'::timestamptz + n / 20 * interval '1 minute', n
            FROM generate_series(0, $1 - 1) AS n
            """, [.int4(Int32(rows))])
        try connect().execute("ANALYZE windrow.point")
        try want("partitions")
    }

    /// Changes the engine that the configuration names.
    func want(_ engine: String) throws {
        let other = engine == "plain" ? "partitions" : "plain"
        try station.daemon.edit("{engine: \(other)}", to: "{engine: \(engine)}")
    }

    func asAdministrator(_ sql: String) throws {
        try Connection(station.database + " user=postgres", applicationName: "windrow tests").script(sql)
    }

    func connect() throws -> Connection { try Connection(station.database, applicationName: "windrow tests") }

    /// What `windrow migrate` says when it ends.
    @discardableResult
    func run(_ options: String..., mustSucceed: Bool = true) throws -> Command.Result {
        let result = try Command.run(
            Project.program("windrow"), ["migrate", "--config", station.daemon.configuration] + options)
        if mustSucceed, result.status != 0 {
            throw FixtureError("\(options): exit code \(result.status)\n\(result.output)\(result.errors)")
        }
        return result
    }

    /// `windrow migrate` at work.
    func start(_ options: String..., fault: String? = nil) throws -> ChildProcess {
        try ChildProcess(
            Project.program("windrow"), ["migrate", "--config", station.daemon.configuration] + options,
            output: folder.path + "/out", errors: folder.path + "/err",
            environment: ProcessInfo.processInfo.environment.merging(fault.map { ["WINDROW_FAULT": $0] } ?? [:]) { $1 })
    }

    /// What the one that was started last has said.
    var said: String {
        ["/out", "/err"].map { (try? String(contentsOfFile: folder.path + $0, encoding: .utf8)) ?? "" }.joined()
    }

    /// Rows that are copied; nil when none is being.
    func copied() throws -> Int? {
        let connection = try connect()
        guard try connection.execute("SELECT to_regclass('windrow.conversion') IS NOT NULL").bool(0, 0) else {
            return nil
        }
        let rows = try connection.execute("SELECT copied FROM windrow.conversion")
        return rows.count == 0 ? nil : Int(try rows.int64(0, 0))
    }

    func value(_ sql: String) throws -> Int {
        Int(try connect().execute("SELECT (\(sql))::bigint").int64(0, 0))
    }

    /// Fails unless all of a conversion is gone but what it has made.
    func checkNothingIsLeft() throws {
        let left = try connect().execute(
            """
            SELECT c.oid::regclass::text FROM pg_class c
            WHERE c.relnamespace = 'windrow'::regnamespace AND (relname LIKE '%next%' OR relname = 'conversion')
            UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'mirror%'
            UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'mirror%'
            UNION ALL SELECT parent_table FROM partman.part_config WHERE parent_table LIKE '%next%'
            UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'template%next%'
            """)
        guard left.count == 0 else { throw FixtureError("there is still \(try left.text(0, 0))") }
    }
}

/// Somebody who writes to `point` on his own, in all ways, and keeps the same in a table of his own, in the same transactions.
final class Scribe: @unchecked Sendable {
    // Sendable unchecked: one thread works, and what others read is guarded by the lock.
    private let lock = NSLock()
    private var hasToStop = false
    private var written = 0
    private var failure: (any Error)?
    private let connection: Connection
    private var random: SplitMix
    private let series: ClosedRange<Int>
    private let minutes: Int

    /// - Parameter series: those that he writes; nobody else does.
    init(_ conversion: Conversion, series: ClosedRange<Int>, minutes: Int, seed: UInt64) throws {
        connection = try conversion.connect()
        random = SplitMix(seed)
        self.series = series
        self.minutes = minutes
        try connection.script(
            """
            CREATE TABLE IF NOT EXISTS copy (series_id int, ts timestamptz, v float8, PRIMARY KEY (series_id, ts));
            INSERT INTO copy SELECT * FROM windrow.point WHERE series_id BETWEEN \(series.lowerBound) AND \(series.upperBound);
            SET lock_timeout = '20s'
            """)
    }

    /// How many he has committed.
    func transactions() throws -> Int {
        try lock.withLock {
            if let failure { throw failure }
            return written
        }
    }

    func stop() { lock.withLock { hasToStop = true } }

    func work() throws {
        do {
            try write()
        } catch {
            lock.withLock { failure = error }
            throw error
        }
    }

    private func write() throws {
        while !lock.withLock({ hasToStop }) {
            let level = random.next(4) == 0 ? "REPEATABLE READ" : "READ COMMITTED"
            let statements = (0...random.next(3)).map { _ in statement() }
            while true {
                do throws(PostgresError) {
                    try connection.script("BEGIN ISOLATION LEVEL \(level)")
                    for statement in statements {
                        for table in ["windrow.point", "copy"] {
                            try connection.script(statement.replacingOccurrences(of: "TABLE", with: table))
                        }
                    }
                    try connection.script("COMMIT")
                    break
                } catch {
                    guard [.serializationFailure, .deadlockDetected].contains(error.sqlState) else { throw error }
                    try connection.script("ROLLBACK")
                }
            }
            lock.withLock { written += 1 }
        }
    }

    private func statement() -> String {
        let id = series.lowerBound + random.next(series.count)
        let first = random.next(minutes)
        let count = 1 + random.next(200)
        func ts(_ minute: Int) -> String { "'2022-01-01Z'::timestamptz + \(minute) * interval '1 minute'" }
        let rows =
            "SELECT \(id), \(ts(0)) + n * interval '1 minute', \(random.next(1000)) FROM generate_series(\(first), \(first + count)) n"
        let range = "series_id = \(id) AND ts BETWEEN \(ts(first)) AND \(ts(first + count))"
        return switch random.next(5) {
        case 0: "DELETE FROM TABLE WHERE \(range)"
        case 1: "INSERT INTO TABLE AS p \(rows) ON CONFLICT (series_id, ts) DO UPDATE SET v = excluded.v"
        case 2: "INSERT INTO TABLE \(rows) ON CONFLICT DO NOTHING"
        case 3: "UPDATE TABLE SET v = v + 1 WHERE \(range)"
        // Between the minutes nobody has anything but what was moved there.
        default:
            """
            UPDATE TABLE SET ts = ts + interval '1 microsecond' * \(1 + random.next(59_000_000))
            WHERE series_id = \(id) AND ts = \(ts(first))
            """
        }
    }
}

/// Random numbers that are the same for the same seed.
struct SplitMix {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    /// From 0 to one less than the bound.
    mutating func next(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
