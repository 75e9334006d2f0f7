/// Timestamps as text: RFC 3339 §5.6.
///
/// Reading takes any offset, `T`, `t` or a space between date and time, `Z` or `z`, and cuts off what is beyond a microsecond. The
/// second 60 is the next second's zero, as in PostgreSQL. Nothing here allocates but the text that is made.
extension Timestamp {
    /// nil when the text is not an RFC 3339 timestamp, or names a moment outside `earliest` … `latest`.
    public init?(rfc3339 text: String) {
        var text = text
        guard let read = text.withUTF8({ Timestamp(rfc3339: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = read
    }

    /// nil when the bytes are not an RFC 3339 timestamp, or name a moment outside `earliest` … `latest`.
    public init?(rfc3339 bytes: UnsafeBufferPointer<UInt8>) {
        self.init(rfc3339: UnsafeRawBufferPointer(bytes))
    }

    /// nil when the bytes are not an RFC 3339 timestamp, or name a moment outside `earliest` … `latest`.
    public init?(rfc3339 bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.shortestText else { return nil }

        // Eight bytes at a time: exclusive-or with the pattern leaves 0…9 where a digit belongs and 0 where a separator does.
        let date = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)) ^ 0x2D30_302D_3030_3030
        let time = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) ^ 0x3030_3A30_3054_3030
        let rest = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)) ^ 0x0030_303A
        // “T” is now 0, “t” and “ ” the bits in which they differ from it.
        let separator = time & 0x00FF_0000
        guard separator == 0 || separator == 0x0020_0000 || separator == 0x0074_0000 else { return nil }
        // The sum sets a byte's high bit when a digit is above 9, or a separator is not 0.
        let numbers = time & ~0x00FF_0000
        let second = rest & 0x00FF_FFFF
        let wrong =
            ((date &+ 0x7F76_767F_7676_7676) | date | (numbers &+ 0x7676_7F76_767F_7676) | numbers)
            & 0x8080_8080_8080_8080
            | UInt64(((second &+ 0x0076_767F) | second) & 0x0080_8080)
        guard wrong == 0 else { return nil }

        // Each byte becomes ten times itself plus its neighbour: two-digit numbers at the places of their first digits.
        let dates = date &* 10 &+ (date >> 8)
        let times = numbers &* 10 &+ (numbers >> 8)
        let year = Int64((dates & 0xFF) &* 100 &+ ((dates >> 16) & 0xFF))
        let month = Int64((dates >> 40) & 0xFF)
        let day = Int64(times & 0xFF)
        let hour = Int64((times >> 24) & 0xFF)
        let minute = Int64((times >> 48) & 0xFF)
        let tens = Int64((second >> 8) & 0xFF)
        let seconds = tens &* 10 &+ Int64((second >> 16) & 0xFF)
        guard month >= 1, month <= 12, day >= 1, day <= Self.days(inMonth: month, of: year),
            hour <= 23, minute <= 59, seconds <= 60
        else { return nil }

        var place = 19
        guard let fraction = Self.fraction(in: bytes, at: &place), let offset = Self.offset(in: bytes, at: place) else {
            return nil
        }
        let whole =
            Self.days(beforeMonth: month, of: year) &+ day &- 1
        microseconds =
            (whole &* 86_400 &+ hour &* 3600 &+ minute &* 60 &+ seconds &- offset) &* 1_000_000 &+ fraction
        guard self >= .earliest, self <= .latest else { return nil }
    }

    /// `2023-01-01T12:00:00Z`: the shortest and by far the most common form.
    private static let shortestText = 20

    /// The microseconds of `.123…` at the place, which is moved behind them; 0 without a point, nil without digits behind it.
    @inline(__always)
    private static func fraction(in bytes: UnsafeRawBufferPointer, at place: inout Int) -> Int64? {
        guard bytes[place] == UInt8(ascii: ".") else { return 0 }
        place += 1
        let first = place
        var value: Int64 = 0
        while place < bytes.count {
            let digit = bytes[place] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            if place - first < 6 { value = value &* 10 &+ Int64(digit) }
            place += 1
        }
        guard place > first else { return nil }
        var digits = place - first
        while digits < 6 {
            value = value &* 10
            digits += 1
        }
        return value
    }

    /// The seconds east of UTC that `Z` or `±hh:mm` at the place says, when it ends the text.
    @inline(__always)
    private static func offset(in bytes: UnsafeRawBufferPointer, at place: Int) -> Int64? {
        let left = bytes.count - place
        guard left > 0 else { return nil }
        let sign = bytes[place]
        if sign == UInt8(ascii: "Z") || sign == UInt8(ascii: "z") { return left == 1 ? 0 : nil }
        guard left == 6, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), bytes[place + 3] == UInt8(ascii: ":"),
            let hours = twoDigits(in: bytes, at: place + 1), hours <= 23,
            let minutes = twoDigits(in: bytes, at: place + 4), minutes <= 59
        else { return nil }
        let seconds = hours * 3600 + minutes * 60
        return sign == UInt8(ascii: "+") ? seconds : -seconds
    }

    private static func twoDigits(in bytes: UnsafeRawBufferPointer, at place: Int) -> Int64? {
        let tens = bytes[place] &- UInt8(ascii: "0")
        let ones = bytes[place + 1] &- UInt8(ascii: "0")
        return tens <= 9 && ones <= 9 ? Int64(tens * 10 + ones) : nil
    }
}

// MARK: - The Gregorian calendar, from the year 0 on

extension Timestamp {
    @inline(__always)
    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        guard month == 2 else { return 30 + ((month ^ (month >> 3)) & 1) }
        let leap = year & 3 == 0 && (year % 100 != 0 || year % 400 == 0)
        return leap ? 29 : 28
    }

    /// Days from 1970-01-01 to the first of the month. The year is taken to begin in March, so that the leap day ends it.
    @inline(__always)
    static func days(beforeMonth month: Int64, of year: Int64) -> Int64 {
        // One era of 400 years is added, so that the division never meets a negative number.
        let marchYear = UInt64(bitPattern: year &+ (month > 2 ? 400 : 399))
        let marchMonth = UInt64(bitPattern: month > 2 ? month &- 3 : month &+ 9)
        let daysBeforeMonth = (marchMonth &* 153 &+ 2) / 5
        let days = marchYear &* 365 &+ marchYear / 4 &- marchYear / 100 &+ marchYear / 400 &+ daysBeforeMonth
        return Int64(bitPattern: days) &- 146_097 &- 719_468
    }

    /// The date of a day counted from 1970-01-01, for years 0 to 9999.
    static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let marchDay = day + 719_468 + 146_097
        let era = marchDay / 146_097
        let dayOfEra = marchDay % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + (era - 1) * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with up to six digits of a second, as many as needed: `2023-01-01T12:00:00Z`.
    public var description: String {
        guard self >= .earliest, self <= .latest else { return "\(microseconds) µs since 1970-01-01T00:00:00Z" }
        // Counted from `earliest`, so that nothing is negative.
        let sinceEarliest = microseconds - Self.earliest.microseconds
        let secondOfDay = sinceEarliest / 1_000_000 % 86_400
        let date = Self.date(ofDay: sinceEarliest / 86_400_000_000 + Self.earliest.microseconds / 86_400_000_000)
        return String(unsafeUninitializedCapacity: 27) { bytes in
            var count = 0
            func put(_ number: Int64, digits: Int, then separator: Unicode.Scalar) {
                var number = number
                for place in stride(from: count + digits - 1, through: count, by: -1) {
                    bytes[place] = UInt8(ascii: "0") + UInt8(number % 10)
                    number /= 10
                }
                bytes[count + digits] = UInt8(ascii: separator)
                count += digits + 1
            }
            put(date.year, digits: 4, then: "-")
            put(date.month, digits: 2, then: "-")
            put(date.day, digits: 2, then: "T")
            put(secondOfDay / 3600, digits: 2, then: ":")
            put(secondOfDay / 60 % 60, digits: 2, then: ":")
            put(secondOfDay % 60, digits: 2, then: "Z")
            var fraction = sinceEarliest % 1_000_000
            if fraction > 0 {
                var digits = 6
                while fraction % 10 == 0 {
                    fraction /= 10
                    digits -= 1
                }
                bytes[count - 1] = UInt8(ascii: ".")
                put(fraction, digits: digits, then: "Z")
            }
            return count
        }
    }
}
