/// A number with its unit, as the configuration writes it: `500ms`, `64MiB`.
enum ParsedQuantity<Value: Equatable & Sendable>: Equatable, Sendable {
    case value(Value)
    /// Digits alone: nothing is assumed about them.
    case missingUnit
    case malformed
}

/// Durations: a whole number and one of `ms s m h d w`. Days have 24 hours.
enum DurationText {
    static let example = "a duration such as 1s, 500ms, 5m, 2h or 7d"

    /// Milliseconds in each unit, the shortest first.
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000),
    ]

    /// A number too large for 64 bits becomes the largest: it is out of every range.
    static func parse(_ text: String) -> ParsedQuantity<Duration> {
        parseQuantity(text, units: units.map { ($0.name, $0.milliseconds) }).map { .milliseconds($0) }
    }

    /// In the longest unit, up to days, that leaves a whole number.
    static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        let unit = units.last { $0.name != "w" && milliseconds % $0.milliseconds == 0 && milliseconds != 0 }
        return unit.map { "\(milliseconds / $0.milliseconds)\($0.name)" } ?? "0s"
    }
}

extension Duration {
    /// As the configuration writes it: `500ms`, `7d`.
    public init?(withUnit text: String) {
        guard case .value(let duration) = DurationText.parse(text) else { return nil }
        self = duration
    }
}

/// Sizes: a whole number and one of `B KiB MiB GiB TiB`, or of the decimal `KB MB GB TB`.
enum SizeText {
    static let example = "a size such as 512KiB, 64MiB or 4GiB"

    private static let units: [(name: String, bytes: Int64)] = [
        ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
        ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
    ]

    static func parse(_ text: String) -> ParsedQuantity<Int64> {
        parseQuantity(text, units: units.map { ($0.name, $0.bytes) })
    }

    /// In the largest binary unit that leaves a whole number.
    static func format(_ bytes: Int64) -> String {
        let unit = units.last { $0.bytes.nonzeroBitCount == 1 && bytes % $0.bytes == 0 && bytes != 0 }
        return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? "0B"
    }
}

extension ParsedQuantity {
    func map<Other>(_ transform: (Value) -> Other) -> ParsedQuantity<Other> {
        switch self {
        case .value(let value): .value(transform(value))
        case .missingUnit: .missingUnit
        case .malformed: .malformed
        }
    }
}

/// Saturates instead of overflowing.
private func parseQuantity(_ text: String, units: [(name: String, factor: Int64)]) -> ParsedQuantity<Int64> {
    let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
    guard !digits.isEmpty else { return .malformed }
    let name = text[digits.endIndex...]
    if name.isEmpty { return .missingUnit }
    guard let unit = units.first(where: { $0.name == name }) else { return .malformed }
    guard let number = Int64(text[..<digits.endIndex]) else { return .value(.max) }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit.factor)
    return .value(overflow ? .max : product)
}
