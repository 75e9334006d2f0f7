/// Timestamps as numbers, counted from 1970-01-01T00:00:00Z.
extension Timestamp {
    /// Reads a JSON number (RFC 8259 §6) exactly, digit by digit: a double has no microseconds left in this century's nanoseconds. What
    /// is beyond a microsecond is cut off towards the past, as in a date that is written out.
    ///
    /// The text must be a JSON number already. nil when the moment lies outside `earliest` … `latest`.
    init?(epoch number: UnsafeRawBufferPointer, in unit: EpochUnit) {
        var place = 0
        let isNegative = number.first == UInt8(ascii: "-")
        if isNegative { place = 1 }

        // The number is `digits` times ten to the `scale`, and a little more when something `isCut`.
        var digits: UInt64 = 0
        var scale = unit.powerOfTenInMicroseconds
        var isCut = false
        var isFraction = false
        while place < number.count {
            let digit = number[place] &- UInt8(ascii: "0")
            if digit <= 9 {
                if isFraction { scale -= 1 }
                if digits < 100_000_000_000_000_000 {
                    digits = digits * 10 + UInt64(digit)
                } else {
                    scale += 1
                    if digit != 0 { isCut = true }
                }
            } else if number[place] == UInt8(ascii: ".") {
                isFraction = true
            } else {
                break
            }
            place += 1
        }
        if place < number.count { scale += Self.exponent(UnsafeRawBufferPointer(rebasing: number[(place + 1)...])) }

        while scale > 0, digits > 0 {
            let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            digits = product
            scale -= 1
        }
        while scale < 0, digits > 0 {
            if digits % 10 != 0 { isCut = true }
            digits /= 10
            scale += 1
        }
        guard let magnitude = Int64(exactly: digits) else { return nil }
        microseconds = isNegative ? -magnitude - (isCut ? 1 : 0) : magnitude
        guard self >= .earliest, self <= .latest else { return nil }
    }

    /// The number behind the `e`; nothing beyond a million makes a difference.
    private static func exponent(_ text: UnsafeRawBufferPointer) -> Int {
        var value = 0
        for byte in text where byte != UInt8(ascii: "+") && byte != UInt8(ascii: "-") && value < 1_000_000 {
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return text.first == UInt8(ascii: "-") ? -value : value
    }
}

extension EpochUnit {
    fileprivate var powerOfTenInMicroseconds: Int {
        switch self {
        case .seconds: 6
        case .milliseconds: 3
        case .microseconds: 0
        case .nanoseconds: -3
        }
    }
}
