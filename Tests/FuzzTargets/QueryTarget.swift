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

    /// nil unless the escapes are ones, and of UTF-8.
    private static func decode(_ text: Substring.UTF8View) -> [UInt8]? {
        let hex = Array("0123456789abcdef".utf8)
        let parts = text.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
            .split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false)
        var bytes = Array(parts[0])
        for part in parts.dropFirst() {
            let digits = String(decoding: part.prefix(2), as: UTF8.self).lowercased().utf8.compactMap(
                hex.firstIndex(of:))
            guard digits.count == 2 else { return nil }
            bytes += [UInt8(digits[0] * 16 + digits[1])] + part.dropFirst(2)
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
