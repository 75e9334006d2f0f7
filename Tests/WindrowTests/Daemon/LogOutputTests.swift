import Logging
import Testing

@testable import Windrow

@Suite struct LogOutputTests {
    private let time = Timestamp(microseconds: 1_672_574_400_045_678)

    @Test("a line for people has the time in milliseconds, the level, the domain, the message and the rest sorted")
    func forPeople() {
        let line = LogOutput.line(
            .error, "cannot flush", ["domain": "demo", "error": "no \"such\" host", "code": "7"], at: time,
            isJournald: false)
        #expect(line == "2023-01-01T12:00:00.045Z error    demo: cannot flush code=7 error=\"no \\\"such\\\" host\"\n")
    }

    @Test(
        "a line for journald has the priority and no time, and stays one line",
        arguments: [
            (Logger.Level.critical, 2), (.error, 3), (.warning, 4), (.notice, 5), (.info, 6), (.debug, 7), (.trace, 7),
        ])
    func forJournald(level: Logger.Level, priority: Int) {
        let line = LogOutput.line(level, "two\nlines", ["topic": "a\nb"], at: time, isJournald: true)
        #expect(line == "<\(priority)>two\\nlines topic=\"a\\nb\"\n")
    }
}
