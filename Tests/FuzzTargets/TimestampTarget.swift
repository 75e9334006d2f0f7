@testable import Windrow

/// The input is a timestamp: an RFC 3339 text, or a number that counts from 1970.
enum TimestampTarget {
    static func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        let text = String(validating: input, as: UTF8.self)
        let read = Timestamp(rfc3339: input)
        let expected = text.flatMap { NaiveTimestamp.rfc3339($0) }
        try check(
            read?.microseconds == expected, "read as \(describe(read?.microseconds)), expected \(describe(expected))")
        if let read {
            try check(Timestamp(rfc3339: read.description) == read, "\(read) is not read back as it was written")
            try check(
                read.description.utf8.count <= 27 && read.description.hasSuffix("Z"), "\(read) is not written in UTC")
        }
        guard case .number(let text)? = NaiveJSON(input), let number = NaiveTimestamp.Number(text) else {
            return read != nil
        }
        var isAccepted = false
        for unit in EpochUnit.allCases {
            let read = Array(text.utf8).withUnsafeBytes { Timestamp(epoch: $0, in: unit)?.microseconds }
            let expected = number.microseconds(unit)
            try check(
                read == expected, "read as \(describe(read)) in \(unit.rawValue), expected \(describe(expected))")
            if read != nil { isAccepted = true }
        }
        return isAccepted
    }

    private static func describe(_ microseconds: Int64?) -> String {
        microseconds.map { "\($0) µs" } ?? "none"
    }
}

/// Timestamps by the book, to compare with.
enum NaiveTimestamp {
    private static let bounds = Timestamp.earliest.microseconds...Timestamp.latest.microseconds

    /// Microseconds since 1970; nil when the text is no RFC 3339 timestamp in the years 0 to 9999.
    static func rfc3339(_ text: String) -> Int64? {
        // Nothing else in the pattern is looked at as a character: `asciiOnlyDigits` and scalars, not graphemes.
        let pattern =
            #/(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))/#
            .asciiOnlyDigits().matchingSemantics(.unicodeScalar)
        guard let match = text.wholeMatch(of: pattern)?.output else { return nil }
        func number(_ text: Substring?) -> Int64 { text.flatMap { Int64($0) } ?? 0 }
        let (year, month, day) = (number(match.1), number(match.2), number(match.3))
        let (hour, minute, second) = (number(match.4), number(match.5), number(match.6))
        guard (1...12).contains(month), day >= 1, day <= days(inMonth: month, of: year), hour < 24, minute < 60,
            second <= 60, number(match.9) < 24, number(match.10) < 60
        else { return nil }
        let microsecond = number(
            (match.7 ?? "").prefix(6) + String(repeating: "0", count: 6 - min(6, match.7?.count ?? 0)))
        let offset = (number(match.9) * 60 + number(match.10)) * (match.8 == "-" ? -1 : 1)
        let day1970 = days(before: year, month) + day - 1 - days(before: 1970, 1)
        let seconds = day1970 * 86_400 + (hour * 60 + minute - offset) * 60 + second
        let microseconds = seconds * 1_000_000 + microsecond
        return bounds.contains(microseconds) ? microseconds : nil
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Int(month) - 1]
    }

    /// Days from the first of January of the year 0.
    private static func days(before year: Int64, _ month: Int64) -> Int64 {
        (0..<year).reduce(0) { $0 + (isLeap($1) ? 366 : 365) }
            + (1..<month).reduce(0) { $0 + days(inMonth: $1, of: year) }
    }

    /// A JSON number, as decimal digits in front of and behind a point.
    struct Number {
        private var isNegative: Bool
        private var digits: String
        /// Where in the digits the point stands; may be outside.
        private var point: Int

        init?(_ text: String) {
            let pattern = #/(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?/#
            guard let match = text.wholeMatch(of: pattern)?.output else { return nil }
            isNegative = match.1 == "-"
            digits = String(match.2 + (match.3 ?? ""))
            // No text is so long that more would make a difference.
            let exponent = match.4.map { Int($0) ?? ($0.hasPrefix("-") ? -1_000_000_000 : 1_000_000_000) } ?? 0
            point = match.2.count + min(max(exponent, -1_000_000_000), 1_000_000_000)
        }

        /// Cut off towards the past; nil outside the years 0 to 9999.
        func microseconds(_ unit: EpochUnit) -> Int64? {
            let shift =
                switch unit {
                case .seconds: 6
                case .milliseconds: 3
                case .microseconds: 0
                case .nanoseconds: -3
                }
            guard let first = digits.firstIndex(where: { $0 != "0" }) else { return 0 }
            let zeros = digits.distance(from: digits.startIndex, to: first)
            let significant = digits[first...]
            // How many of the significant digits, zeros behind them included, stand in front of the point.
            let whole = point + shift - zeros
            guard whole <= 18 else { return nil }
            let kept = significant.prefix(max(whole, 0))
            let padded = kept + String(repeating: "0", count: max(whole, 0) - kept.count)
            let isCut = significant.dropFirst(max(whole, 0)).contains { $0 != "0" }
            let magnitude = Int64(padded) ?? 0
            let microseconds = isNegative ? -magnitude - (isCut ? 1 : 0) : magnitude
            return bounds.contains(microseconds) ? microseconds : nil
        }
    }
}
