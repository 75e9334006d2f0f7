/// A text of the file after `${NAME}` was replaced, and how messages may show it.
struct ConfigurationScalar {
    let text: String
    /// For "found …". What came from the environment is shown by its name, for it may be a secret.
    let found: String

    /// A problem with this value, to be thrown by a conversion.
    func unexpected(_ expected: String, hint: String? = nil) -> ScalarProblem {
        ScalarProblem(message: "expected \(expected), found \(found)" + (hint.map { "; \($0)" } ?? ""))
    }
}

/// Why a text could not be converted.
struct ScalarProblem: Error {
    var message: String
}

extension ConfigurationScalar {
    /// Replaces each `${NAME}` in the text of the file by that variable of the environment; `$${` stands for `${`. What is put in
    /// stays text: it is not read as YAML and not searched for more variables.
    init(_ raw: String, environment: [String: String]) throws(ScalarProblem) {
        var result = ""
        var rest = Substring(raw)
        var replaced = false
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                let body = rest.dropFirst(2)
                guard let close = body.firstIndex(of: "}"), Self.isVariableName(body[..<close]) else {
                    throw ScalarProblem(
                        message: "`${` must be followed by the name of an environment variable and `}`; "
                            + "write `$${` for a literal `${`")
                }
                let name = String(body[..<close])
                guard let value = environment[name] else {
                    throw ScalarProblem(message: "the environment variable \(name) is not set")
                }
                result += value
                replaced = true
                rest = body[body.index(after: close)...]
            } else {
                result += "$"
                rest = rest.dropFirst()
            }
        }
        result += rest
        // The C libraries that get these texts would take a NUL for their end.
        if result.utf8.contains(0) { throw ScalarProblem(message: "must not contain a NUL character") }
        text = result
        found = (replaced ? "the value of " : "") + Self.show(raw)
    }

    private static func isVariableName(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// A text in quotes, on one line, and not longer than a message can bear.
    static func show(_ text: String) -> String {
        let limit = 80
        return (text.count > limit ? text.prefix(limit) + "…" : text[...]).debugDescription
    }
}
