import Testing

@testable import Windrow

@Suite struct StatusRequestTests {
    @Test("a search is for a node, a part of a tag, or both")
    func search() throws {
        let number = try #require(NodeID(12))
        #expect(SeriesSearch("12")?.node == .id(number))
        #expect(SeriesSearch("12")?.tag == "12")
        #expect(SeriesSearch("12")?.needsBoth == false)
        #expect(SeriesSearch("temp")?.node == nil)
        #expect(SeriesSearch("12/temp")?.node == .id(number))
        #expect(SeriesSearch("12/temp")?.tag == "temp")
        #expect(SeriesSearch("12/temp")?.needsBoth == true)
        #expect(SeriesSearch("12/")?.tag == nil)
        #expect(SeriesSearch("/temp")?.node == nil)
        #expect(SeriesSearch("temp/x") == nil)
        #expect(SeriesSearch("") == SeriesSearch("  "))
        #expect(SeriesSearch("")?.tagPattern == nil)
    }

    @Test(
        "what LIKE has signs for stands for itself",
        arguments: [("50%", #"%50\%%"#), ("a_b", #"%a\_b%"#), (#"c\d"#, #"%c\\d%"#)])
    func patterns(_ tag: String, _ pattern: String) {
        #expect(SeriesSearch(tag)?.tagPattern == pattern)
    }

    @Test(
        "addresses and the machine's own names are answered, foreign names are not",
        arguments: [
            ("localhost", true), ("LOCALHOST:8081", true), ("127.0.0.1", true), ("127.0.0.1:8081", true),
            ("192.0.2.7:80", true), ("[::1]:8081", true), ("[2001:db8::1]", true), ("gate-7", true),
            ("gate-7.example:1", true),
            ("status.internal", true), ("evil.example", false), ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("", false), ("[", false), ("[x]", false), ("gate-7.evil", false),
        ])
    func hosts(_ authority: String, _ isAdmitted: Bool) {
        let hosts = HostGuard(configured: "status.internal", machine: "Gate-7.example")
        #expect(hosts.admits(authority) == isAdmitted)
    }

    @Test("an excerpt shows nothing that does not print, and ends between two characters")
    func excerpts() {
        func excerpt(_ text: String, _ limit: Int) -> String {
            Array(text.utf8).withUnsafeBytes { String(excerptOf: $0, limit: limit, escapesQuotes: false) }
        }
        #expect(excerpt("<b>\"x\"\\\u{1b}[31m\0\u{202e}</b>", 100) == #"<b>"x"\\u{1b}[31m\u{0}\u{202e}</b>"#)
        #expect(excerpt("aää", 4) == "aä…")
        #expect(excerpt("äää", 1) == "\u{FFFD}…" || excerpt("äää", 1) == "…")
    }
}
