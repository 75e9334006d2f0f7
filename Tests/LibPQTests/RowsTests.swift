import LibPQ
import Testing

@Suite("Reading a value")
struct RowsTests {
    private typealias Reader = @Sendable (Rows, Int, Int) throws -> Void

    /// Each plain accessor with the SQL value that is its own.
    private static let readers: [(type: String, plain: Reader, optional: Reader)] = [
        ("boolean", { _ = try $0.bool($1, $2) }, { _ = try $0.optionalBool($1, $2) }),
        ("smallint", { _ = try $0.int16($1, $2) }, { _ = try $0.optionalInt16($1, $2) }),
        ("integer", { _ = try $0.int32($1, $2) }, { _ = try $0.optionalInt32($1, $2) }),
        ("bigint", { _ = try $0.int64($1, $2) }, { _ = try $0.optionalInt64($1, $2) }),
        ("double precision", { _ = try $0.double($1, $2) }, { _ = try $0.optionalDouble($1, $2) }),
        ("text", { _ = try $0.text($1, $2) }, { _ = try $0.optionalText($1, $2) }),
        ("uuid", { _ = try $0.uuid($1, $2) }, { _ = try $0.optionalUUID($1, $2) }),
        ("timestamptz", { _ = try $0.timestamp($1, $2) }, { _ = try $0.optionalTimestamp($1, $2) }),
    ]

    @Test("of another type throws, and never traps")
    func wrongType() throws {
        let values = [
            "true", "1::smallint", "1::integer", "1::bigint", "1::double precision", "'x'::text",
            "gen_random_uuid()", "now()", "1::numeric", "'{1}'::int[]", "1::real", "'2020-01-01'::date",
            "'1 day'::interval", "now()::timestamp",
        ]
        let rows = try TestDatabase.connect().execute("SELECT " + values.joined(separator: ", "))
        for column in values.indices {
            for (index, reader) in Self.readers.enumerated() {
                for read in [reader.plain, reader.optional] {
                    if index == column {
                        #expect(throws: Never.self) { try read(rows, 0, column) }
                    } else {
                        let error = try #require(throws: PostgresError.self) { try read(rows, 0, column) }
                        #expect(error.operation == .read && error.kind == .usage)
                    }
                }
            }
        }
    }

    @Test("that is NULL throws, unless NULL was expected")
    func null() throws {
        let list = Self.readers.map { "NULL::\($0.type)" }.joined(separator: ", ")
        let rows = try TestDatabase.connect().execute("SELECT \(list)")
        for (column, reader) in Self.readers.enumerated() {
            #expect(try rows.isNull(0, column))
            #expect(throws: PostgresError.self) { try reader.plain(rows, 0, column) }
            #expect(throws: Never.self) { try reader.optional(rows, 0, column) }
        }
        #expect(try rows.optionalInt64(0, 3) == nil)
        #expect(try rows.optionalText(0, 5) == nil)
    }

    @Test("that is not there throws", arguments: [(-1, 0), (1, 0), (0, -1), (0, 1), (Int.max, 0), (0, Int.min)])
    func outside(row: Int, column: Int) throws {
        let rows = try TestDatabase.connect().execute("SELECT 1::bigint")
        #expect(throws: PostgresError.self) { try rows.int64(row, column) }
        #expect(throws: PostgresError.self) { try rows.optionalInt64(row, column) }
        #expect(throws: PostgresError.self) { try rows.isNull(row, column) }
    }

    @Test("of a domain, a name or a varchar reads the type beneath")
    func related() throws {
        let connection = try TestDatabase.connect()
        try connection.script("CREATE DOMAIN pg_temp.positive AS bigint CHECK (VALUE > 0)")
        let rows = try connection.execute(
            "SELECT 5::pg_temp.positive, 'a'::name, 'b'::varchar(9), 'c'::char(2), '{}'::json, 'e'")
        #expect(try rows.int64(0, 0) == 5)
        #expect(try (1...5).map { column in try rows.text(0, column) } == ["a", "b", "c ", "{}", "e"])
    }

    @Test("that is an infinite or too late timestamp throws")
    func unreadableTimestamps() throws {
        let rows = try TestDatabase.connect().execute(
            "SELECT 'infinity'::timestamptz, '-infinity'::timestamptz, '294276-12-31 23:59:59+00'::timestamptz")
        for column in 0..<3 {
            let error = try #require(throws: PostgresError.self) { try rows.timestamp(0, column) }
            #expect(error.kind == .usage)
        }
    }

    @Test("works after the connection is gone")
    func outlives() throws {
        let connection = try TestDatabase.connect()
        let rows = try connection.execute("SELECT 'still here'")
        connection.close()
        #expect(try rows.text(0, 0) == "still here")
    }
}
