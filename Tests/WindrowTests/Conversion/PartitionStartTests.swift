import Testing

@testable import Windrow

@Suite struct PartitionStartTests {
    @Test("partitions begin at the same times in SQL as in Swift")
    func starts() throws {
        let fixture = try WriterFixture()
        try fixture.connection.script("SET timezone = 'UTC'")
        let intervals: [CalendarInterval] = [
            .hours(1), .hours(5), .days(1), .weeks(1), .weeks(3), .months(1), .months(5), .years(1),
        ]
        for interval in intervals {
            var times = (0..<200).map { _ in Int64.random(in: -2_000_000_000_000_000...4_000_000_000_000_000) }
            times += times.prefix(50).flatMap { time in
                let start = Timestamp(microseconds: time).start(ofEach: interval).microseconds
                return [start, start - 1]
            }
            let rows = try fixture.connection.execute(
                "SELECT \(interval.start(of: "ts")) FROM unnest($1) WITH ORDINALITY AS t (ts, place) ORDER BY place",
                [.timestamptzArray(times)])
            for (row, time) in times.enumerated() {
                let expected = Timestamp(microseconds: time).start(ofEach: interval)
                #expect(Timestamp(microseconds: try rows.timestamp(row, 0)) == expected, "\(interval) \(time)")
            }
        }
    }
}
