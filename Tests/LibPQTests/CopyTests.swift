@testable import LibPQ
import Testing

private let copy = "COPY t FROM STDIN (FORMAT binary)"

/// A connection with the table that the writer fills.
private func connectWithTable(statementTimeout: Duration = .seconds(60)) throws -> Connection {
    let connection = try TestDatabase.connect(statementTimeout: statementTimeout)
    try connection.script(
        """
        CREATE TEMP TABLE t (series_id integer, ts timestamptz, v double precision, PRIMARY KEY (series_id, ts))
        """)
    return connection
}

private func rowsStored(_ connection: Connection) throws -> Int64 {
    try connection.execute("SELECT count(*) FROM t").int64(0, 0)
}

@Suite("A copy buffer")
struct CopyBufferTests {
    @Test("holds PostgreSQL's binary format, byte for byte")
    func bytes() {
        var buffer = CopyBuffer()
        buffer.appendPoint(series: 0x0102_0304, microseconds: 946_684_800_000_000 + 0x1122_3344_5566_7788, value: -2)
        let found = (0..<buffer.byteCount).map { buffer.bytes.base.load(fromByteOffset: $0, as: UInt8.self) }
        let header: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let row: [UInt8] = [
            0, 3,
            0, 0, 0, 4, 1, 2, 3, 4,
            0, 0, 0, 8, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
            0, 0, 0, 8, 0xC0, 0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(found == header + row)
        #expect(buffer.rowCount == 1)
    }

    @Test("grows from any capacity and forgets its rows", arguments: [0, 1, 1000])
    func grows(capacity: Int) {
        var buffer = CopyBuffer(capacity: capacity)
        for round in 0..<3 {
            #expect(buffer.rowCount == 0)
            #expect(buffer.byteCount == 19)
            for row in 0..<2500 { buffer.appendPoint(series: 1, microseconds: Int64(row), value: 0) }
            #expect(buffer.rowCount == 2500)
            #expect(buffer.byteCount == 19 + 2500 * 34)
            let grown = buffer.bytes.capacity
            buffer.removeAll(keepingCapacity: round == 0)
            #expect(buffer.bytes.capacity == (round == 0 ? grown : 64))
        }
    }
}

@Suite("A copy")
struct CopyTests {
    @Test("stores 100,000 rows, and the buffer serves again")
    func large() throws {
        let connection = try connectWithTable()
        var buffer = CopyBuffer()
        for round in 0..<2 {
            for i in 0..<100_000 {
                buffer.appendPoint(
                    series: Int32(i % 7 + 10 * round), microseconds: Int64(i) * 1_000_003, value: Double(i) / 8)
            }
            #expect(try connection.copy(copy, from: buffer) == 100_000)
            buffer.removeAll()
        }
        let rows = try connection.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE series_id % 10 = i % 7 AND v = i / 8.0::float8
                AND ts = to_timestamp(0) + i * interval '1.000003 s')
            FROM t, LATERAL (SELECT (v * 8)::bigint AS i) AS x
            """)
        #expect(try rows.int64(0, 0) == 200_000)
        #expect(try rows.int64(0, 1) == 200_000)
    }

    @Test("stores extreme values as they are")
    func extremes() throws {
        let connection = try connectWithTable()
        let times: [Int64] = [firstTimestamp, -1, 0, 946_684_800_000_000, .max]
        let values: [Double] = [.nan, -0.0, .leastNonzeroMagnitude, .infinity, -.greatestFiniteMagnitude]
        var buffer = CopyBuffer(capacity: 5)
        for (time, value) in zip(times, values) { buffer.appendPoint(series: .min, microseconds: time, value: value) }
        #expect(try connection.copy(copy, from: buffer) == 5)
        let rows = try connection.execute("SELECT series_id, ts, v FROM t ORDER BY ts")
        #expect(try (0..<5).map { try rows.timestamp($0, 1) } == times)
        #expect(try (0..<5).map { try rows.double($0, 2).bitPattern } == values.map(\.bitPattern))
        #expect(try rows.int32(0, 0) == .min)
    }

    @Test(
        "of a timestamp outside PostgreSQL's range is refused",
        arguments: [.min, .min + 946_684_800_000_000] as [Int64])
    func timestampRange(time: Int64) throws {
        let connection = try connectWithTable()
        var buffer = CopyBuffer()
        buffer.appendPoint(series: 1, microseconds: time, value: 1)
        let error = try #require(throws: PostgresError.self) { try connection.copy(copy, from: buffer) }
        #expect(error.kind == .server && error.sqlState == .timestampOutOfRange)
        #expect(connection.isUsable)
    }

    @Test("of nothing stores nothing")
    func empty() throws {
        let connection = try connectWithTable()
        #expect(try connection.copy(copy, from: CopyBuffer()) == 0)
    }

    @Test("that conflicts stores nothing, and the connection goes on", arguments: [1, 600_000])
    func conflict(rowsAfter: Int) throws {
        let connection = try connectWithTable()
        try connection.execute("INSERT INTO t VALUES (1, to_timestamp(0), 1)")
        var buffer = CopyBuffer()
        buffer.appendPoint(series: 1, microseconds: 0, value: 2)
        for i in 1...rowsAfter { buffer.appendPoint(series: 2, microseconds: Int64(i), value: 0) }
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in try connection.copy(copy, from: buffer) }
        }
        #expect(error.kind == .server && error.sqlState == .uniqueViolation)
        #expect(error.table == "t" && error.constraint == "t_pkey")
        #expect(connection.isUsable)
        #expect(try rowsStored(connection) == 1)
        #expect(try connection.execute("SELECT v FROM t").double(0, 0) == 1)
    }

    @Test("reads the notices that a trigger sends, however many")
    func notices() throws {
        let connection = try connectWithTable(statementTimeout: .seconds(30))
        try connection.script(
            """
            CREATE FUNCTION pg_temp.notify() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE NOTICE '%', repeat('x', 2000); RETURN NULL; END $$;
            CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.notify()
            """)
        var buffer = CopyBuffer()
        for i in 0..<300_000 { buffer.appendPoint(series: 2, microseconds: Int64(i), value: 0) }
        #expect(try connection.copy(copy, from: buffer) == 0, "the trigger drops each row")
    }

    @Test(
        "is for binary COPY from the client only",
        arguments: ["COPY t FROM STDIN", "COPY t TO STDOUT (FORMAT binary)", "SELECT 1", "COPY missing FROM STDIN", ""])
    func otherStatements(sql: String) throws {
        let connection = try connectWithTable()
        var buffer = CopyBuffer()
        buffer.appendPoint(series: 1, microseconds: 0, value: 2)
        let error = try #require(throws: PostgresError.self) { try connection.copy(sql, from: buffer) }
        #expect(error.operation == .copy)
        if sql.contains("missing") {
            #expect(error.sqlState == .undefinedTable)
        } else {
            #expect(error.kind == .usage)
        }
        #expect(connection.isUsable == !sql.contains("STDOUT"))
        if connection.isUsable { #expect(try rowsStored(connection) == 0) }
    }

    @Test("into a table of another shape is refused")
    func shape() throws {
        let connection = try TestDatabase.connect()
        try connection.script("CREATE TEMP TABLE t (i int)")
        var buffer = CopyBuffer()
        buffer.appendPoint(series: 1, microseconds: 0, value: 2)
        let error = try #require(throws: PostgresError.self) { try connection.copy(copy, from: buffer) }
        #expect(error.kind == .server && error.sqlState == .badCopyFormat)
        #expect(connection.isUsable)
    }
}
