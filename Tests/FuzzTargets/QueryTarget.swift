@testable import Windrow

/// The input is the query of a request's target, for each of the calls.
enum QueryTarget {
    static func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        // Swift NIO hands targets on as text, with what is not UTF-8 replaced.
        let text = String(decoding: input, as: UTF8.self)
        var isAccepted = false
        for known in [DomainBridge.writeParameters, DomainBridge.readParameters] {
            let expected = values(of: text, known)
            let query: Query
            do {
                query = try Query(text[...], known: known)
            } catch {
                try check(error.status == .badRequest && !error.detail.isEmpty, "\(error)")
                try check(expected == nil, "refused, and it should not be: \(error.detail)")
                continue
            }
            guard let expected else { throw Violation("accepted, and it should not be: \(query)") }
            for name in known {
                let found = query[name].map { Array($0.utf8) }
                try check(found == expected[name], "\(name) is \(query[name] ?? "not there")")
                try read(name, of: query, known)
            }
            isAccepted = true
        }
        return isAccepted
    }

    /// The values, by taking the bytes apart; nil when the query has to be refused.
    private static func values(of text: String, _ known: [String]) -> [String: [UInt8]]? {
        var values: [String: [UInt8]] = [:]
        for part in text.utf8.split(separator: UInt8(ascii: "&")) {
            let sides = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(sides[0]), let value = decode(sides.count == 2 ? sides[1] : "".utf8[...]),
                let known = known.first(where: { $0.utf8.elementsEqual(name) }),
                values.updateValue(value, forKey: known) == nil
            else { return nil }
        }
        return values
    }

    private static func decode(_ text: Substring.UTF8View) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                    let value = UInt8(String(decoding: Array(digits), as: UTF8.self), radix: 16)
                else { return nil }
                rest = rest.dropFirst(2)
                bytes.append(value)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self) == nil ? nil : bytes
    }

    /// What calls do with a parameter.
    private static func read(_ name: String, of query: Query, _ known: [String]) throws(Violation) {
        guard let value = query[name] else { return }
        if let flag = try? query.flag(name) {
            let words = flag ? ["true", "1"] : ["false", "0"]
            try check(words.contains(value.lowercased()), "\(value) is \(flag)")
        }
        let timestamp: Timestamp?
        do {
            timestamp = try query.timestamp(name)
        } catch {
            try check(error.parameter == name && !error.detail.isEmpty, "\(error)")
            timestamp = nil
        }
        try check(timestamp?.microseconds == NaiveTimestamp.rfc3339(value), "the timestamp \(value)")
        try check(NodeName(value) == NaiveNames.node(value), "the node \(value)")
        try check(Tag(value) == NaiveNames.tag(value), "the tag \(value)")
        try check(
            Overwrite(rawValue: value) == Overwrite.allCases.first { sameBytes($0.rawValue, value) },
            "the mode \(value)")
    }
}
