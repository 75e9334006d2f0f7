import LibPQ
import Testing

@Suite("A quoted identifier")
struct QuoteIdentifierTests {
    @Test(
        "names exactly what was given",
        arguments: [
            "point", "Point", "sélect", "select", "a b", "a\"b", "\"", "\"\"", "a\"; DROP TABLE x; --", "a\"\u{301}b",
            "\\",
        ])
    func roundTrip(name: String) throws {
        let table = try quoteIdentifier(name)
        let connection = try TestDatabase.connect()
        try connection.script("CREATE TEMP TABLE \(table) ()")
        let found = try connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'")
        #expect(found.count == 1)
        #expect(try Array(found.text(0, 0).utf8) == Array(name.utf8))
    }

    @Test("is neither empty nor holds a NUL", arguments: ["", "a\0b", "\0"])
    func refused(name: String) throws {
        let error = try #require(throws: PostgresError.self) { try quoteIdentifier(name) }
        #expect(error.kind == .usage)
    }
}

@Suite("An SQLSTATE")
struct SQLStateTests {
    @Test("is five digits or capital letters", arguments: ["", "2350", "235055", "2350é", "23 05", "57p01"])
    func refused(text: String) {
        #expect(SQLState(rawValue: text) == nil)
    }

    @Test("has a class")
    func classCode() {
        #expect(SQLState(rawValue: "23505") == .uniqueViolation)
        #expect(SQLState.diskFull.classCode == "53")
        #expect(SQLState.adminShutdown.classCode == "57")
    }
}

@Suite("A UUID")
struct UUIDBytesTests {
    @Test("prints as 8-4-4-4-12 with its zeros")
    func description() {
        let uuid = UUIDBytes(high: 0x0000_0000_89AB_0DEF, low: 0x8000_0000_0000_00FF)
        #expect(uuid.description == "00000000-89ab-0def-8000-0000000000ff")
    }
}
