/// Times of points: microseconds since 1970-01-01 UTC.
enum Timestamp {
    static let second: Int64 = 1_000_000
    /// 2023-01-01T00:00:00Z
    static let start: Int64 = 1_672_531_200 * second
    /// 2010-01-01T00:00:00Z, long before all that a window replaces.
    static let poisoned: Int64 = 1_262_304_000 * second

    /// In RFC 3339, UTC; a fraction only where there is one.
    static func text(_ microseconds: Int64) -> String {
        let seconds = microseconds / second
        let (days, inDay) = (seconds / 86_400, seconds % 86_400)
        // Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days, for days from 1970 on.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        var text: [UInt8] = []
        text.reserveCapacity(27)
        append(year, 4, to: &text)
        text.append(UInt8(ascii: "-"))
        append(month, 2, to: &text)
        text.append(UInt8(ascii: "-"))
        append(day, 2, to: &text)
        text.append(UInt8(ascii: "T"))
        append(inDay / 3600, 2, to: &text)
        text.append(UInt8(ascii: ":"))
        append(inDay / 60 % 60, 2, to: &text)
        text.append(UInt8(ascii: ":"))
        append(inDay % 60, 2, to: &text)
        if microseconds % second != 0 {
            text.append(UInt8(ascii: "."))
            append(microseconds % second, 6, to: &text)
        }
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    private static func append(_ number: Int64, _ digits: Int, to text: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
