import LibPQ
import WindrowTestSupport

/// What PostgreSQL itself takes: a bare loop of binary COPY into a table like `point`.
struct CopyLimit {
    private let connection: Connection

    init(_ sandbox: Sandbox) throws {
        connection = try Connection(try sandbox.makeDatabase(), applicationName: "windrow-bench")
        try connection.script(
            """
            CREATE TABLE point (series_id integer NOT NULL, ts timestamptz NOT NULL, v double precision NOT NULL,
                PRIMARY KEY (series_id, ts))
            """)
    }

    /// Rows a second, into the empty table.
    func measure(rows: Int) throws -> Double {
        try connection.script("TRUNCATE point")
        var buffer = CopyBuffer(capacity: 10_000)
        let start = ContinuousClock.now
        for first in stride(from: 0, to: rows, by: 10_000) {
            buffer.removeAll()
            for row in first..<first + 10_000 {
                buffer.appendPoint(
                    series: 1, microseconds: 1_672_574_400_000_000 + Int64(row) * 1_000_000, value: Double(row))
            }
            try connection.copy("COPY point FROM STDIN (FORMAT binary)", from: buffer)
        }
        return Double(rows) / ((ContinuousClock.now - start) / .seconds(1))
    }
}
