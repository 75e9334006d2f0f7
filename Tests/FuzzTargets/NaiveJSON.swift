/// RFC 8259 as it is written, to compare with; also that surrogates come in pairs, and no more than 16 containers.
indirect enum NaiveJSON {
    case null
    case boolean(Bool)
    /// As it is written.
    case number(String)
    case string(String)
    case array([NaiveJSON])
    case object([(name: String, value: NaiveJSON)])

    /// nil when the bytes are no JSON.
    init?(_ bytes: some Sequence<UInt8>) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var parser = Parser(rest: Array(text.unicodeScalars)[...])
        guard let value = parser.value(depth: 0) else { return nil }
        parser.skipSpace()
        guard parser.rest.isEmpty else { return nil }
        self = value
    }

    static func isWellFormed(_ bytes: some Sequence<UInt8>) -> Bool { NaiveJSON(bytes) != nil }

    /// The last member of that name; nil when there is none, or this is no object. By bytes, as JSON compares names.
    subscript(name: String) -> NaiveJSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    /// What a JSON pointer without escapes (RFC 6901) points to; nil when there is nothing.
    func value(at pointer: String) -> NaiveJSON? {
        if pointer.isEmpty { return self }
        let parts = pointer.split(separator: "/", omittingEmptySubsequences: false)
        guard parts[0].isEmpty else { return nil }
        return parts.dropFirst().reduce(self) { place, part in
            if case .array(let items)? = place {
                guard let index = Int(part), String(index) == part, items.indices.contains(index) else { return nil }
                return items[index]
            }
            return place?[String(part)]
        }
    }
}

private struct Parser {
    var rest: ArraySlice<Unicode.Scalar>

    mutating func skipSpace() {
        rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    mutating func value(depth: Int) -> NaiveJSON? {
        skipSpace()
        switch rest.first {
        case "{", "[": return depth < 16 ? container(depth: depth) : nil
        case "\"": return string().map { .string($0) }
        case "t": return literal("true") ? .boolean(true) : nil
        case "f": return literal("false") ? .boolean(false) : nil
        case "n": return literal("null") ? .null : nil
        default: return number()
        }
    }

    private mutating func container(depth: Int) -> NaiveJSON? {
        let isObject = rest.removeFirst() == "{"
        var members: [(name: String, value: NaiveJSON)] = []
        skipSpace()
        if !take(isObject ? "}" : "]") {
            repeat {
                skipSpace()
                var name = ""
                if isObject {
                    guard let read = string() else { return nil }
                    name = read
                    skipSpace()
                    guard take(":") else { return nil }
                }
                guard let item = value(depth: depth + 1) else { return nil }
                members.append((name, item))
                skipSpace()
            } while take(",")
            guard take(isObject ? "}" : "]") else { return nil }
        }
        return isObject ? .object(members) : .array(members.map(\.value))
    }

    private mutating func literal(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { take($0) }
    }

    private mutating func digits() -> Int {
        let count = rest.prefix { $0 >= "0" && $0 <= "9" }.count
        rest.removeFirst(count)
        return count
    }

    private mutating func number() -> NaiveJSON? {
        let start = rest
        _ = take("-")
        if !take("0"), digits() == 0 { return nil }
        if take("."), digits() == 0 { return nil }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            if digits() == 0 { return nil }
        }
        return .number(String(String.UnicodeScalarView(start[..<rest.startIndex])))
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var text = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            switch next {
            case "\"": return String(text)
            case "\\":
                guard let scalar = escape() else { return nil }
                text.append(scalar)
            default:
                if next.value < 0x20 { return nil }
                text.append(next)
            }
        }
        return nil
    }

    /// What follows a backslash.
    private mutating func escape() -> Unicode.Scalar? {
        switch rest.popFirst() {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            guard let unit = hex() else { return nil }
            if unit < 0xD800 || unit >= 0xE000 { return Unicode.Scalar(unit) }
            guard unit < 0xDC00, take("\\"), take("u"), let low = hex(), low >= 0xDC00, low < 0xE000 else { return nil }
            return Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        default: return nil
        }
    }

    private mutating func hex() -> UInt32? {
        let digits = rest.prefix(4)
        guard digits.count == 4, digits.allSatisfy({ $0.properties.isASCIIHexDigit }) else { return nil }
        rest.removeFirst(4)
        return UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
    }
}
