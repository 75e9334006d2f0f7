/// A length of time as calendars have it, in UTC: whole months, or whole hours.
public struct CalendarInterval: Hashable, Sendable {
    public enum Unit: Hashable, Sendable {
        case hours
        case months
    }

    public var unit: Unit
    /// Above 0.
    public var count: Int

    public init(_ count: Int, _ unit: Unit) {
        precondition(count > 0, "an interval must not be empty")
        self.count = count
        self.unit = unit
    }

    public static func hours(_ count: Int) -> CalendarInterval { CalendarInterval(count, .hours) }
    public static func days(_ count: Int) -> CalendarInterval { .hours(24 * count) }
    public static func weeks(_ count: Int) -> CalendarInterval { .days(7 * count) }
    public static func months(_ count: Int) -> CalendarInterval { CalendarInterval(count, .months) }
    public static func years(_ count: Int) -> CalendarInterval { .months(12 * count) }

    /// Hours, those of an average month for months.
    public var approximateHours: Double {
        switch unit {
        case .hours: Double(count)
        case .months: Double(count) * 730.485
        }
    }
}

extension CalendarInterval: CustomStringConvertible {
    private static let names: [(name: String, interval: CalendarInterval)] = [
        ("year", .years(1)), ("month", .months(1)), ("week", .weeks(1)), ("day", .days(1)), ("hour", .hours(1)),
    ]

    /// In the longest unit that leaves a whole number, as PostgreSQL reads it too: `2 years`.
    public var description: String {
        for (name, one) in Self.names where one.unit == unit && count % one.count == 0 {
            let number = count / one.count
            return "\(number) \(name)\(number == 1 ? "" : "s")"
        }
        preconditionFailure("every interval is one of whole hours or months")
    }

    /// A whole number and one of hour, day, week, month and year, or `h d w y`: `1 week`, `30d`. nil for anything else, and for
    /// more than 1,000 years.
    public init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        var unit = text[digits.endIndex...]
        if unit.first == " " { unit = unit.dropFirst() }
        guard let number = Int(digits), number > 0,
            let one = Self.names.first(where: { name, _ in
                unit == name || unit == name + "s" || name != "month" && unit == name.prefix(1)
            })?.interval
        else { return nil }
        let (count, overflow) = number.multipliedReportingOverflow(by: one.count)
        let longest = one.unit == .months ? 12_000 : 1000 * 366 * 24
        guard !overflow, count <= longest else { return nil }
        self.init(count, one.unit)
    }
}

extension Timestamp {
    private static let hour: Int64 = 3_600_000_000
    /// A Monday, the first of a month and of a year: weeks begin as people expect them to.
    private static let monday2001 = Timestamp(microseconds: 978_307_200_000_000)

    /// The start of the interval that the timestamp falls into, when all of them are laid end to end through 2001-01-01.
    func start(ofEach interval: CalendarInterval) -> Timestamp {
        switch interval.unit {
        case .hours:
            let length = Int64(interval.count) * Self.hour
            return Timestamp(
                microseconds: microseconds - floorModulo(microseconds - Self.monday2001.microseconds, length))
        case .months:
            return Timestamp(month: month - floorModulo(month - Self.monday2001.month, Int64(interval.count)))
        }
    }

    /// So many intervals later, or earlier. Months are counted from the first of the month on, which starts of intervals are.
    func advanced(by count: Int, _ interval: CalendarInterval) -> Timestamp {
        switch interval.unit {
        case .hours: Timestamp(microseconds: microseconds + Int64(count * interval.count) * Self.hour)
        case .months:
            Timestamp(
                microseconds: Timestamp(month: month + Int64(count * interval.count)).microseconds
                    + (microseconds - Timestamp(month: month).microseconds))
        }
    }

    /// Months since the year 0.
    private var month: Int64 {
        let date = Self.date(ofDay: (microseconds - floorModulo(microseconds, 24 * Self.hour)) / (24 * Self.hour))
        return date.year * 12 + date.month - 1
    }

    /// The first moment of a month, counted from the year 0.
    private init(month: Int64) {
        let monthOfYear = floorModulo(month, 12)
        let days = Self.days(beforeMonth: monthOfYear + 1, of: (month - monthOfYear) / 12)
        self.init(microseconds: days * 24 * Self.hour)
    }
}

/// The remainder that is not negative.
private func floorModulo(_ number: Int64, _ divisor: Int64) -> Int64 {
    let remainder = number % divisor
    return remainder < 0 ? remainder + divisor : remainder
}
