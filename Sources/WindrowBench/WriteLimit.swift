import Foundation
import LibPQ
import Synchronization
import Windrow
import WindrowTestSupport

/// What PostgreSQL itself takes: bare loops that write a workload's rows, made beforehand, into a table like `point`: in the order of
/// the messages, 10,000 rows a transaction, each sorted by the key.
final class WriteLimit {
    private let sandbox: Sandbox
    private let database: String
    private let workload: Workload

    private static let rowsPerTransaction = 10_000

    init(_ sandbox: Sandbox, _ workload: Workload) throws {
        self.sandbox = sandbox
        database = try sandbox.makeDatabase()
        self.workload = workload
        try Connection(database, applicationName: "windrow-bench").script(
            """
            CREATE TABLE point (series_id integer NOT NULL, ts timestamptz NOT NULL, v double precision NOT NULL,
                PRIMARY KEY (series_id, ts))
            """)
    }

    func drop() throws { try sandbox.drop(database) }

    /// Rows a second by binary COPY.
    /// - Parameter connections: each writes a share of the series.
    func insert(connections: Int = 1) throws -> Double {
        try measure(connections) { batch, connection in
            try connection.copy(Self.copy, from: batch.buffer())
        }
    }

    /// Rows a second by INSERT … ON CONFLICT DO UPDATE, over rows that are all there.
    func update() throws -> Double {
        try measure(1, adding: 1) { batch, connection in
            try connection.execute(
                """
                INSERT INTO point (series_id, ts, v)
                SELECT * FROM unnest($1::integer[], $2::timestamptz[], $3::double precision[])
                ON CONFLICT (series_id, ts) DO UPDATE SET v = excluded.v
                """, batch.parameters)
        }
    }

    /// Rows a second by DELETE of each message's range and COPY of its points.
    func replace() throws -> Double {
        try measure(1, adding: 2) { batch, connection in
            try connection.transaction { () throws(PostgresError) in
                try connection.execute(
                    """
                    DELETE FROM point p USING unnest($1::integer[], $2::timestamptz[], $3::timestamptz[])
                        AS r (series_id, first, last)
                    WHERE p.series_id = r.series_id AND p.ts BETWEEN r.first AND r.last
                    """, batch.ranges)
                try connection.copy(Self.copy, from: batch.buffer())
            }
        }
    }

    private static let copy = "COPY point FROM STDIN (FORMAT binary)"

    /// Rows of a transaction.
    private struct Batch: Sendable {
        var rows: [(series: Int32, point: Point)] = []
        var ranges: [Parameter] = []

        func buffer() -> CopyBuffer {
            var buffer = CopyBuffer(capacity: rows.count)
            for row in rows {
                buffer.appendPoint(
                    series: row.series, microseconds: row.point.timestamp.microseconds, value: row.point.value)
            }
            return buffer
        }

        var parameters: [Parameter] {
            [
                .int4Array(rows.map(\.series)), .timestamptzArray(rows.map(\.point.timestamp.microseconds)),
                .float8Array(rows.map(\.point.value)),
            ]
        }
    }

    private func batches(ofConnection number: Int, of connections: Int, adding value: Int) -> [Batch] {
        let messages = (0..<workload.messages).filter {
            workload.seriesNumber(ofMessage: $0) % connections == number
        }
        let step = max(Self.rowsPerTransaction / workload.pointsPerMessage, 1)
        return stride(from: 0, to: messages.count, by: step).map { first in
            let own = messages[first..<min(first + step, messages.count)]
            var batch = Batch()
            var ranges: [(series: Int32, first: Int64, last: Int64)] = []
            for message in own {
                let series = Int32(workload.seriesNumber(ofMessage: message))
                let points = (0..<workload.pointsPerMessage)
                    .map { workload.point($0, ofMessage: message, adding: value) }
                    .sorted { $0.timestamp < $1.timestamp }
                batch.rows += points.map { (series, $0) }
                ranges.append(
                    (series, points[0].timestamp.microseconds, points[points.count - 1].timestamp.microseconds))
            }
            batch.rows.sort { ($0.series, $0.point.timestamp) < ($1.series, $1.point.timestamp) }
            ranges.sort { ($0.series, $0.first) < ($1.series, $1.first) }
            batch.ranges = [
                .int4Array(ranges.map(\.series)), .timestamptzArray(ranges.map(\.first)),
                .timestamptzArray(ranges.map(\.last)),
            ]
            return batch
        }
    }

    private func measure(
        _ connections: Int, adding value: Int = 0, _ write: @escaping @Sendable (Batch, Connection) throws -> Void
    ) throws -> Double {
        try sandbox.checkpoint()
        let work = (0..<connections).map { batches(ofConnection: $0, of: connections, adding: value) }
        let database = database
        let start = ContinuousClock.now
        try concurrently(work) { batches in
            let connection = try Connection(database, applicationName: "windrow-bench")
            // At its best: with stale statistics the planner would read the table for each transaction.
            try connection.script("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
            for batch in batches { try write(batch, connection) }
        }
        return Double(workload.points) / ((ContinuousClock.now - start) / .seconds(1))
    }
}

extension Sandbox {
    /// So that one measurement does not write the pages of the one before it.
    func checkpoint() throws {
        try Connection(conninfo(user: "postgres"), applicationName: "windrow-bench").execute("CHECKPOINT")
    }

    /// So that one measurement is not vacuumed during the next.
    func drop(_ database: String) throws {
        let name = try Connection(database, applicationName: "windrow-bench")
            .execute("SELECT current_database()").text(0, 0)
        try Connection(conninfo(user: "postgres"), applicationName: "windrow-bench")
            .execute("DROP DATABASE \(quoteIdentifier(name)) WITH (FORCE)")
    }

    func rowCount(_ database: String) throws -> Int {
        let connection = try Connection(database, applicationName: "windrow-bench")
        return Int(try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0))
    }
}

/// Runs a job for each item on a thread of its own, and waits for all of them.
func concurrently<Item: Sendable>(_ items: [Item], _ job: @escaping @Sendable (Item) throws -> Void) throws {
    let group = DispatchGroup()
    let failure = Mutex<(any Error)?>(nil)
    for item in items {
        group.enter()
        Thread {
            do { try job(item) } catch { failure.withLock { $0 = error } }
            group.leave()
        }.start()
    }
    group.wait()
    if let error = failure.withLock({ $0 }) { throw error }
}
