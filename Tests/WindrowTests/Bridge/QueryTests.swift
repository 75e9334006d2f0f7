import Testing

@testable import Windrow

@Suite struct QueryTests {
    private let known = ["node_id", "tag", "start", "silent"]

    private func problem(_ text: String, _ body: (Query) throws -> Void = { _ in }) -> Problem? {
        do {
            try body(try Query(text[...], known: known))
            return nil
        } catch {
            return error as? Problem
        }
    }

    @Test("escapes are resolved, and a + is a space")
    func values() throws {
        let query = try Query("tag=a%20b+c%2B&node_id=7&&start=", known: known)
        #expect(query["tag"] == "a b c+")
        #expect(query["node_id"] == "7")
        #expect(query["start"] == "")
        #expect(query["silent"] == nil)
        #expect(try Query(nil, known: known)["tag"] == nil)
    }

    @Test(
        "escapes that are cut short, are no hexadecimal digits, or are not UTF-8 are refused",
        arguments: [
            "%", "%4", "a%", "%G0", "%-1", "%+1", "% 1", "%FF", "a%A9b", "%C3", "%C3%A9%A9", "%ED%A0%80", "%C0%80",
        ])
    func badEscapes(_ value: String) {
        let problem = problem("tag=\(value)")
        #expect(problem?.status == .badRequest && problem?.detail.contains("not UTF-8") == true)
        #expect(self.problem("\(value)=a")?.status == .badRequest)
    }

    @Test("parameters are told apart by bytes: an accent on an & or = takes nothing from it")
    func accents() throws {
        #expect(problem("tag=a&\u{301}silent=true")?.detail.contains("is no parameter") == true)
        #expect(try Query("tag=\u{301}a&node_id=7", known: known)["tag"] == "\u{301}a")
        #expect(
            try Query("tag=a+\u{301}b", known: known)["tag"]?.unicodeScalars.elementsEqual("a \u{301}b".unicodeScalars)
                == true)
    }

    @Test(
        "a flag is true or false, as Python and people write them",
        arguments: [
            ("silent=true", true), ("silent=True", true), ("silent=1", true), ("silent=false", false),
            ("silent=0", false), ("", false),
        ])
    func flags(_ text: String, _ value: Bool) throws {
        #expect(try Query(text[...], known: known).flag("silent") == value)
    }

    @Test("what is unknown, given twice or malformed is refused, and the parameter is named")
    func refused() {
        #expect(problem("silnt=true")?.detail.contains("did you mean silent?") == true)
        #expect(problem("silnt=true")?.parameter == "silnt")
        #expect(problem("tag=a&tag=b")?.parameter == "tag")
        #expect(problem("tag=%F")?.status == .badRequest)
        #expect(problem("tag=%FF")?.status == .badRequest)
        #expect(problem("silent=yes") { _ = try $0.flag("silent") }?.parameter == "silent")
        #expect(problem("silent=") { _ = try $0.flag("silent") }?.parameter == "silent")
    }

    @Test("an unescaped + of an offset is told to be escaped, and a space between date and time is none")
    func timestamps() throws {
        #expect(
            try Query("start=2023-01-01T12:00:00%2B01:00", known: known).timestamp("start")
                == Timestamp(rfc3339: "2023-01-01T11:00:00Z"))
        #expect(
            try Query("start=2023-01-01+12:00:00Z", known: known).timestamp("start")
                == Timestamp(rfc3339: "2023-01-01T12:00:00Z"))
        #expect(try Query("tag=x", known: known).timestamp("start") == nil)
        let plus = problem("start=2023-01-01T12:00:00+01:00") { _ = try $0.timestamp("start") }
        #expect(plus?.detail.contains("%2B") == true)
        #expect(plus?.parameter == "start")
        #expect(problem("start=yesterday") { _ = try $0.timestamp("start") }?.detail.contains("%2B") == false)
    }
}
