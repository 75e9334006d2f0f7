import Foundation
import Testing

@testable import Windrow

@Suite struct TimestampEpochTests {
    private static func read(_ text: String, _ unit: EpochUnit) -> Int64? {
        Array(text.utf8).withUnsafeBytes { Timestamp(epoch: $0, in: unit)?.microseconds }
    }

    @Test(
        "numbers are read exactly in their unit, and cut off beyond a microsecond towards the past",
        arguments: [
            ("0", .seconds, 0), ("-0", .nanoseconds, 0), ("0e999999999999", .seconds, 0),
            ("1672574400", .seconds, 1_672_574_400_000_000),
            ("1672574400.123456", .seconds, 1_672_574_400_123_456),
            ("1672574400.1234569", .seconds, 1_672_574_400_123_456),
            ("1.6725744e9", .seconds, 1_672_574_400_000_000),
            ("1.6725744E+9", .seconds, 1_672_574_400_000_000),
            ("16725744000e-1", .seconds, 1_672_574_400_000_000),
            ("1672574400123", .milliseconds, 1_672_574_400_123_000),
            ("1672574400123.4567", .milliseconds, 1_672_574_400_123_456),
            ("1672574400123456", .microseconds, 1_672_574_400_123_456),
            ("1672574400123456.9", .microseconds, 1_672_574_400_123_456),
            ("1672574400123456789", .nanoseconds, 1_672_574_400_123_456),
            ("1.672574400123456789e18", .nanoseconds, 1_672_574_400_123_456),
            ("-1", .seconds, -1_000_000), ("-1", .nanoseconds, -1), ("-1000", .nanoseconds, -1),
            ("-1001", .nanoseconds, -2), ("-0.0000001", .seconds, -1), ("0.0000001", .seconds, 0),
            ("1e-400", .seconds, 0), ("-1e-400", .seconds, -1),
            ("253402300799.999999", .seconds, 253_402_300_799_999_999),
            ("253402300799999999.99999999999999999999", .microseconds, 253_402_300_799_999_999),
            ("-62167219200", .seconds, -62_167_219_200_000_000),
            ("0.00000000000000000000000000000000016725744e43", .seconds, 1_672_574_400_000_000),
            ("1672574400000000000000000000000000000000e-30", .seconds, 1_672_574_400_000_000),
        ] as [(String, EpochUnit, Int64)])
    func reads(text: String, unit: EpochUnit, microseconds: Int64) {
        #expect(Self.read(text, unit) == microseconds)
    }

    @Test(
        "numbers outside the years 0 to 9999 are not read",
        arguments: [
            ("253402300800", .seconds), ("-62167219200.0000001", .seconds), ("1672574400123", .seconds),
            ("1672574400123456789", .microseconds), ("1e400", .nanoseconds), ("-1e999999999", .nanoseconds),
            ("99999999999999999999999999", .nanoseconds), ("18446744073709551616", .microseconds),
        ] as [(String, EpochUnit)])
    func refuses(text: String, unit: EpochUnit) {
        #expect(Self.read(text, unit) == nil)
    }

    @Test("random numbers agree with Foundation's decimals")
    func againstDecimals() {
        let seed: UInt64 = 99
        var numbers = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let unit = EpochUnit.allCases.randomElement(using: &numbers)!
            let whole = Int64.random(in: -300_000_000_000...300_000_000_000, using: &numbers)
            let text =
                "\(whole).\(UInt32.random(in: 0...UInt32.max, using: &numbers))e\(Int.random(in: -12...12, using: &numbers))"
            var decimal = Decimal(string: text, locale: Locale(identifier: "en_US_POSIX"))!
            decimal *= Decimal(
                sign: .plus, exponent: [6, 3, 0, -3][EpochUnit.allCases.firstIndex(of: unit)!], significand: 1)
            var floor = Decimal()
            NSDecimalRound(&floor, &decimal, 0, .down)
            let isInRange =
                floor >= Decimal(Timestamp.earliest.microseconds) && floor <= Decimal(Timestamp.latest.microseconds)
            let expected = isInRange ? Int64("\(floor)") : nil
            #expect(Self.read(text, unit) == expected, "seed \(seed): \(text) \(unit.rawValue)")
        }
    }
}
