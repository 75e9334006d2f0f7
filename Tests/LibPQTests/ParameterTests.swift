import LibPQ
import Testing

/// Sends a value, lets the server print it and send it back.
private func roundTrip<Value>(
    _ parameter: Parameter, _ type: String, read: (Rows) throws -> Value
) throws -> (Value, printed: String) {
    let connection = try TestDatabase.connect()
    try connection.script("SET timezone = 'UTC'")
    let rows = try connection.execute("SELECT $1::\(type), $1::text, pg_typeof($1)::text", [parameter])
    #expect(try rows.text(0, 2) == type)
    return (try read(rows), try rows.text(0, 1))
}

/// Sends an array and reads its elements back in order.
private func elements<Value>(
    _ parameter: Parameter, read: (Rows, Int) throws -> Value
) throws -> [Value] {
    let connection = try TestDatabase.connect()
    let rows = try connection.execute(
        "SELECT x, cardinality($1), array_lower($1, 1) FROM unnest($1) WITH ORDINALITY AS t (x, n) ORDER BY n",
        [parameter])
    if rows.count > 0 {
        #expect(try Int(rows.int32(0, 1)) == rows.count)
        #expect(try rows.int32(0, 2) == 1)
    }
    return try (0..<rows.count).map { try read(rows, $0) }
}

private let uuid = UUIDBytes(high: 0x0123_4567_89AB_4DEF, low: 0x8000_0000_0000_00FF)

/// The first instant that PostgreSQL knows, 24 November 4714 BC, in microseconds since 1970.
let firstTimestamp: Int64 = -210_866_803_200_000_000

@Suite("A parameter round trips")
struct ParameterTests {
    @Test("as boolean", arguments: [true, false])
    func boolean(value: Bool) throws {
        #expect(try roundTrip(.boolean(value), "boolean") { try $0.bool(0, 0) } == (value, "\(value)"))
    }

    @Test("as smallint", arguments: [0, -1, .min, .max] as [Int16])
    func int2(value: Int16) throws {
        #expect(try roundTrip(.int2(value), "smallint") { try $0.int16(0, 0) } == (value, "\(value)"))
    }

    @Test("as integer", arguments: [0, -1, .min, .max] as [Int32])
    func int4(value: Int32) throws {
        #expect(try roundTrip(.int4(value), "integer") { try $0.int32(0, 0) } == (value, "\(value)"))
    }

    @Test("as bigint", arguments: [0, -1, .min, .max] as [Int64])
    func int8(value: Int64) throws {
        #expect(try roundTrip(.int8(value), "bigint") { try $0.int64(0, 0) } == (value, "\(value)"))
    }

    @Test("as double precision, bit for bit", arguments: extremeDoubles)
    func float8(value: Double) throws {
        let (found, _) = try roundTrip(.float8(value), "double precision") { try $0.double(0, 0) }
        #expect(found.bitPattern == value.bitPattern)
    }

    @Test("as text", arguments: ["", "x", "üñí🚜\u{10FFFF}", "'; DROP TABLE x; --", "a\nb\\c", "e\u{301}"])
    func text(value: String) throws {
        let (found, printed) = try roundTrip(.text(value), "text") { try $0.text(0, 0) }
        #expect(Array(found.utf8) == Array(value.utf8))
        #expect(Array(printed.utf8) == Array(value.utf8))
    }

    @Test("as uuid", arguments: [uuid, UUIDBytes(high: 0, low: 0), UUIDBytes(high: .max, low: .max)])
    func uuids(value: UUIDBytes) throws {
        #expect(try roundTrip(.uuid(value), "uuid") { try $0.uuid(0, 0) } == (value, value.description))
    }

    @Test(
        "as timestamptz",
        arguments: [
            (0, "1970-01-01 00:00:00+00"),
            (-1, "1969-12-31 23:59:59.999999+00"),
            (946_684_800_000_000, "2000-01-01 00:00:00+00"),
            (1_672_574_400_123_456, "2023-01-01 12:00:00.123456+00"),
            (firstTimestamp, "4714-11-24 00:00:00+00 BC"),
            (Int64.max, "294247-01-10 04:00:54.775807+00"),
        ])
    func timestamptz(value: Int64, text: String) throws {
        let found = try roundTrip(.timestamptz(value), "timestamp with time zone") { try $0.timestamp(0, 0) }
        #expect(found == (value, text))
    }

    @Test("as NULL")
    func null() throws {
        let connection = try TestDatabase.connect()
        let rows = try connection.execute("SELECT $1::bigint, coalesce($2::text, 'none')", [.null, .null])
        #expect(try rows.isNull(0, 0))
        #expect(try rows.text(0, 1) == "none")
    }

    @Test("as each array, in order")
    func arrays() throws {
        #expect(try elements(.booleanArray([true, false, true])) { try $0.bool($1, 0) } == [true, false, true])
        let int4s: [Int32] = [3, .min, .max, 0]
        #expect(try elements(.int4Array(int4s)) { try $0.int32($1, 0) } == int4s)
        let int8s: [Int64] = [3, .min, .max, 0]
        #expect(try elements(.int8Array(int8s)) { try $0.int64($1, 0) } == int8s)
        let doubles = try elements(.float8Array(extremeDoubles)) { try $0.double($1, 0) }
        #expect(doubles.map(\.bitPattern) == extremeDoubles.map(\.bitPattern))
        let texts = ["", "ü🚜", "NULL", "{a,\"b\"}"]
        #expect(try elements(.textArray(texts)) { try $0.text($1, 0) } == texts)
        let uuids = [uuid, UUIDBytes(high: .max, low: 0)]
        #expect(try elements(.uuidArray(uuids)) { try $0.uuid($1, 0) } == uuids)
        let times = [0, firstTimestamp, Int64.max, 1_672_574_400_123_456]
        #expect(try elements(.timestamptzArray(times)) { try $0.timestamp($1, 0) } == times)
    }

    @Test(
        "as each array when empty",
        arguments: [
            .booleanArray([]), .int4Array([]), .int8Array([]), .float8Array([]), .textArray([]), .uuidArray([]),
            .timestamptzArray([]),
        ] as [Parameter])
    func emptyArrays(parameter: Parameter) throws {
        let connection = try TestDatabase.connect()
        let rows = try connection.execute("SELECT $1 = '{}', cardinality($1)", [parameter])
        #expect(try rows.bool(0, 0))
        #expect(try rows.int32(0, 1) == 0)
    }

    @Test("as a long array beside others")
    func longArrays() throws {
        let connection = try TestDatabase.connect()
        let numbers = (0..<200_000).map { Int64($0) }
        let rows = try connection.execute(
            "SELECT count(*), max(b) FROM unnest($1, $2) AS t (a, b) WHERE a::float8 = b",
            [.int8Array(numbers), .float8Array(numbers.map(Double.init))])
        #expect(try rows.int64(0, 0) == 200_000)
        #expect(try rows.double(0, 1) == 199_999)
    }
}

@Suite("The server refuses a parameter")
struct RefusedParameterTests {
    @Test(
        "that is a timestamp before its range",
        arguments: [.min, .min + 1, .min + 946_684_800_000_000, firstTimestamp - 1] as [Int64])
    func timestamps(value: Int64) throws {
        let connection = try TestDatabase.connect()
        for (sql, parameter) in [
            ("SELECT $1::text", Parameter.timestamptz(value)),
            ("SELECT cardinality($1)", .timestamptzArray([0, value])),
        ] {
            let error = try #require(throws: PostgresError.self) { try connection.execute(sql, [parameter]) }
            #expect(error.sqlState == .timestampOutOfRange)
        }
        #expect(connection.isUsable)
    }

    @Test("that is text with a NUL")
    func nul() throws {
        let connection = try TestDatabase.connect()
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT $1", [.text("a\0b")]) }
        #expect(error.sqlState == .invalidByteSequence)
    }

    @Test("that is of another type than the statement wants")
    func type() throws {
        let connection = try TestDatabase.connect()
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT 1 + $1", [.text("1")]) }
        #expect(error.sqlState == .undefinedFunction)
    }
}

private let extremeDoubles: [Double] = [
    0, -0.0, 1.5, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, .leastNormalMagnitude,
    .infinity, -.infinity, .nan, 0.1, 1e300,
]
