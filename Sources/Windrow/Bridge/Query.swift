/// The query of a request's target, each parameter once.
struct Query: Sendable {
    private var values: [String: String] = [:]

    /// - Parameters:
    ///   - text: behind the `?`, as it was sent; nil when there is none.
    ///   - known: the parameters that the call has. Others are refused: a typing mistake in `overwrite` must not pass for an insert.
    init(_ text: Substring?, known: [String]) throws(Problem) {
        // By bytes: to Swift an & with an accent on it is no &.
        for part in text?.utf8.split(separator: UInt8(ascii: "&")) ?? [] {
            let sides = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decode(sides[0])
            guard known.contains(name) else {
                let meant = closestName(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
                throw Problem(
                    badParameter: name,
                    "\(String(quoting: name)) is no parameter of this call (\(known.joined(separator: ", ")))\(meant)")
            }
            let value = sides.count == 2 ? try Self.decode(sides[1]) : ""
            guard values.updateValue(value, forKey: name) == nil else {
                throw Problem(badParameter: name, "\(name) is given twice")
            }
        }
    }

    /// Percent escapes resolved. A `+` is a space, as in what forms, Python and curl send (WHATWG URL, section 5.1).
    private static func decode(_ text: Substring.UTF8View) throws(Problem) -> String {
        // Foundation's `removingPercentEncoding` lets some bytes pass that are not UTF-8.
        guard let bytes = bytes(text), let decoded = String(validating: bytes, as: UTF8.self) else {
            throw Problem(
                badParameter: nil,
                "the query has %-escapes that are not UTF-8 text: \(String(quoting: String(Substring(text))))")
        }
        return decoded
    }

    private static func bytes(_ text: Substring.UTF8View) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    subscript(name: String) -> String? { values[name] }

    /// `true` or `false`, in any case (Python writes `True`); false when it is not given.
    func flag(_ name: String) throws(Problem) -> Bool {
        guard let value = values[name] else { return false }
        switch value.lowercased() {
        case "true", "1": return true
        case "false", "0": return false
        default:
            throw Problem(badParameter: name, "\(name) is \(String(quoting: value)), expected true or false")
        }
    }

    /// An RFC 3339 timestamp; nil when it is not given.
    func timestamp(_ name: String) throws(Problem) -> Timestamp? {
        guard let value = values[name] else { return nil }
        if let timestamp = Timestamp(rfc3339: value) { return timestamp }
        let found = "\(name) is \(String(quoting: value))"
        if let space = value.lastIndex(of: " "),
            Timestamp(rfc3339: value[..<space] + "+" + value[value.index(after: space)...]) != nil
        {
            throw Problem(
                badParameter: name, "\(found): in a query a + stands for a space; write the + of the offset as %2B")
        }
        throw Problem(
            badParameter: name, "\(found), expected an RFC 3339 timestamp such as 2023-01-01T12:00:00Z")
    }
}
