import Testing

@testable import Windrow

@Suite struct CalendarIntervalTests {
    @Test(
        "intervals are read as people write them, and written as PostgreSQL reads them",
        arguments: [
            ("1 week", "1 week"), ("7d", "1 week"), ("2 years", "2 years"), ("24 months", "2 years"), ("6h", "6 hours"),
            ("30 days", "30 days"), ("1month", "1 month"), ("1y", "1 year"),
        ])
    func texts(text: String, written: String) {
        #expect(CalendarInterval(text)?.description == written)
    }

    @Test(
        "what is no interval is none",
        arguments: [
            "", "1", "week", "0 weeks", "-1 week", "1 m", "1.5 days", "1  week", "1 fortnight", "1001 years",
            "99999999999999999999 days",
        ])
    func refused(text: String) {
        #expect(CalendarInterval(text) == nil)
    }

    @Test(
        "a timestamp belongs to the interval that calendars have it in",
        arguments: [
            ("2026-11-25T13:14:15Z", "1 week", "2026-11-23T00:00:00Z"),
            ("2026-11-23T00:00:00Z", "1 week", "2026-11-23T00:00:00Z"),
            ("2026-11-22T23:59:59.999999Z", "1 week", "2026-11-16T00:00:00Z"),
            ("1999-12-31T23:59:59Z", "1 week", "1999-12-27T00:00:00Z"),
            ("2026-11-25T13:14:15Z", "6 hours", "2026-11-25T12:00:00Z"),
            ("2024-02-29T13:14:15Z", "1 month", "2024-02-01T00:00:00Z"),
            ("2026-11-25T13:14:15Z", "3 months", "2026-10-01T00:00:00Z"),
            ("1969-03-25T13:14:15Z", "1 year", "1969-01-01T00:00:00Z"),
        ])
    func starts(text: String, interval: String, start: String) throws {
        let timestamp = try #require(Timestamp(rfc3339: text))
        #expect(timestamp.start(ofEach: try #require(CalendarInterval(interval))).description == start)
    }

    @Test("the next start is where the interval ends, over every month's length")
    func advancing() throws {
        let january = try #require(Timestamp(rfc3339: "2024-01-01T00:00:00Z"))
        #expect(january.advanced(by: 2, .months(1)).description == "2024-03-01T00:00:00Z")
        #expect(january.advanced(by: -1, .years(2)).description == "2022-01-01T00:00:00Z")
        #expect(january.advanced(by: 1, .weeks(1)).description == "2024-01-08T00:00:00Z")
    }
}
