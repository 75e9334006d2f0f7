import Foundation
import Testing

@testable import Windrow

@Suite struct TimestampRFC3339Tests {
    @Test(
        "RFC 3339 in all its spellings is read",
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-01-01T12:00:00Z", 1_672_574_400_000_000),
            ("2023-01-01t12:00:00z", 1_672_574_400_000_000),
            ("2023-01-01 12:00:00Z", 1_672_574_400_000_000),
            ("2023-01-01T12:00:00+00:00", 1_672_574_400_000_000),
            ("2023-01-01T12:00:00-00:00", 1_672_574_400_000_000),
            ("2023-01-01T13:30:00+01:30", 1_672_574_400_000_000),
            ("2022-12-31T12:01:00-23:59", 1_672_574_400_000_000),
            ("2023-01-02T11:59:00+23:59", 1_672_574_400_000_000),
            ("2023-01-01T12:00:00.5Z", 1_672_574_400_500_000),
            ("2023-01-01T12:00:00.123456Z", 1_672_574_400_123_456),
            ("2023-01-01T12:00:00.000001+00:00", 1_672_574_400_000_001),
            // Cut off, not rounded; before 1970 too.
            ("2023-01-01T12:00:00.1234569Z", 1_672_574_400_123_456),
            ("2023-01-01T12:00:00.99999999999999999999999999999999999Z", 1_672_574_400_999_999),
            ("1969-12-31T23:59:59.9999999Z", -1),
            // A leap second is the next second's zero.
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
            ("2016-12-31T23:59:60.25Z", 1_483_228_800_250_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] as [(String, Int64)])
    func reads(text: String, microseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test(
        "what is not RFC 3339 is not read",
        arguments: [
            "", "2023", "2023-01-01", "2023-01-01T12:00Z", "2023-01-01T12:00:00", "2023-01-01T12:00:00.5",
            "2023-01-01T12:00:00.Z", "2023-01-01T12:00:00,5Z", "2023-01-01T12:00:00ZZ", "2023-01-01T12:00:00Z ",
            " 2023-01-01T12:00:00Z", "2023-01-01T12:00:00 Z", "2023-01-01_12:00:00Z", "2023-01-01\u{0}12:00:00Z",
            "2023-1-01T12:00:00Z0", "2023/01/01T12:00:00Z", "2023-01-01T12.00.00Z", "20230101T120000Z0000",
            "2023-00-01T12:00:00Z", "2023-13-01T12:00:00Z", "2023-01-00T12:00:00Z", "2023-01-32T12:00:00Z",
            "2023-04-31T12:00:00Z", "2023-02-29T12:00:00Z", "1900-02-29T12:00:00Z", "2023-02-30T12:00:00Z",
            "2023-01-01T24:00:00Z", "2023-01-01T12:60:00Z", "2023-01-01T12:00:61Z", "2023-01-01T99:00:00Z",
            "2023-01-01T12:00:00+24:00", "2023-01-01T12:00:00+01:60", "2023-01-01T12:00:00+0100",
            "2023-01-01T12:00:00+01",
            "2023-01-01T12:00:00+01:000", "2023-01-01T12:00:00+1:00", "2023-01-01T12:00:00+ab:cd",
            "2023-01-01T12:00:00 01:00",
            "+023-01-01T12:00:00Z", "-023-01-01T12:00:00Z", "12023-01-01T12:00:00Z", "２０２３-01-01T12:00:00Z",
            "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-00:01", "2023-01-01T12:00:00.5+",
            "2023-01-01T12:00:00\u{C4}\u{8F}Z", "2023-01-01T12:00:0:Z", "2023-01-01T12:00:/0Z",
        ])
    func refuses(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test("each byte of a timestamp matters")
    func everyByteMatters() {
        let text = Array("2023-01-01T12:00:00Z".utf8)
        for place in text.indices {
            for byte in UInt8.min...UInt8.max where byte != text[place] {
                var changed = text
                changed[place] = byte
                let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                let known: Bool =
                    switch place {
                    case 4, 7, 13, 16: false
                    case 10: byte == UInt8(ascii: "t") || byte == UInt8(ascii: " ")
                    case 19: byte == UInt8(ascii: "z")
                    // First digits of month, day, hour, minute, second; and 00 for a month or day.
                    case 5: byte == UInt8(ascii: "1")
                    case 6: isDigit && byte != UInt8(ascii: "0")
                    case 8: isDigit && byte <= UInt8(ascii: "3")
                    case 9: isDigit && byte != UInt8(ascii: "0")
                    case 11: isDigit && byte <= UInt8(ascii: "2")
                    case 14: isDigit && byte <= UInt8(ascii: "5")
                    case 17: isDigit && byte <= UInt8(ascii: "6")
                    default: isDigit
                    }
                let read = changed.withUnsafeBytes { Timestamp(rfc3339: $0) }
                #expect((read != nil) == known, "byte \(byte) at \(place)")
            }
        }
    }

    @Test("every month of the years 0 to 9999 has its days and no more, by counting them one after another")
    func calendar() {
        var dayNumber: Int64 = -719_528
        var wrong: [String] = []
        for year in 0...9999 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            for (month, length) in zip(1..., [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                let start = Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-"
                for (day, number) in [(1, dayNumber), (length, dayNumber + Int64(length) - 1), (length + 1, nil)] {
                    let text = start + Self.padded(day, 2) + "T00:00:00Z"
                    let read = Timestamp(rfc3339: text)
                    if read?.microseconds != number.map({ $0 * 86_400_000_000 }) { wrong.append(text) }
                    if let read, read.description != text { wrong.append(read.description) }
                }
                dayNumber += Int64(length)
            }
        }
        #expect(wrong == [])
        #expect(dayNumber == 2_932_897)
    }

    @Test("random instants are written as Foundation writes them, and Foundation's text is read back")
    func againstFoundation() {
        let seed: UInt64 = 20_231
        var numbers = SeededGenerator(seed: seed)
        let utc = Date.ISO8601FormatStyle(timeZone: .gmt)
        for _ in 0..<20_000 {
            // From 1600 on: before, Foundation counts by the Julian calendar.
            let seconds = Int64.random(in: -11_676_096_000...253_402_300_799, using: &numbers)
            let timestamp = Timestamp(microseconds: seconds * 1_000_000)
            let date = Date(timeIntervalSince1970: Double(seconds))
            #expect(timestamp.description == utc.format(date), "seed \(seed)")

            // A year at the very end would leave the range with its offset.
            let minutes = Int.random(in: -839...839, using: &numbers)
            guard abs(seconds) < 253_402_200_000, let zone = TimeZone(secondsFromGMT: minutes * 60) else { continue }
            let text = Date.ISO8601FormatStyle(timeZoneSeparator: .colon, timeZone: zone).format(date)
            #expect(Timestamp(rfc3339: text) == timestamp, "seed \(seed), \(text)")
        }
    }

    @Test("what is written is read back to the microsecond, and has no more digits than it needs")
    func roundTrip() {
        let seed: UInt64 = 4711
        var numbers = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            var microseconds = Int64.random(
                in: Timestamp.earliest.microseconds...Timestamp.latest.microseconds, using: &numbers)
            let unit: Int64 = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000].randomElement(using: &numbers)!
            microseconds = microseconds / unit * unit
            let timestamp = Timestamp(microseconds: microseconds)
            let text = timestamp.description
            #expect(Timestamp(rfc3339: text) == timestamp, "seed \(seed)")
            #expect(text.contains(".") == (microseconds % 1_000_000 != 0), "seed \(seed), \(text)")
            #expect(!text.hasSuffix("0Z") || !text.contains("."), "seed \(seed), \(text)")
        }
    }

    @Test(
        "descriptions have as many digits of a second as needed",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59.999999Z"), (500_000, "1970-01-01T00:00:00.5Z"),
            (1, "1970-01-01T00:00:00.000001Z"), (120, "1970-01-01T00:00:00.00012Z"),
            (Timestamp.earliest.microseconds, "0000-01-01T00:00:00Z"),
            (Timestamp.latest.microseconds, "9999-12-31T23:59:59.999999Z"),
            (Int64.max, "9223372036854775807 µs since 1970-01-01T00:00:00Z"),
            (Int64.min, "-9223372036854775808 µs since 1970-01-01T00:00:00Z"),
        ] as [(Int64, String)])
    func descriptions(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).description == text)
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: digits - text.count) + text
    }
}
