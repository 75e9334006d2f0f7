import Yams

/// From text to YAML's node tree, and from libyaml's errors to sentences.
enum ConfigurationDocument {
    static let maxBytes = 1 << 20
    /// Aliases can make a tree of billions of values out of a page of text; no configuration comes near this many.
    private static let maxValues = 200_000
    private static let maxDepth = 32

    /// The root of the only document in the text. Reports why there is none.
    static func root(of yaml: String, reader: ConfigurationReader) -> ConfigurationValue? {
        let whole = ConfigurationPlace(path: "", mark: nil)
        guard yaml.utf8.count <= maxBytes else {
            reader.report(
                "is larger than \(SizeText.format(Int64(maxBytes))), which no configuration needs to be", at: whole)
            return nil
        }
        do {
            // The basic resolver leaves every scalar a text: what it means is ours to say, key by key.
            guard let node = try compose(yaml: yaml, .basic, .default, .utf8) else {
                reader.report("is empty; at least the key `domains` is needed", at: whole)
                return nil
            }
            let root = ConfigurationValue(node, path: "", reader: reader)
            if root.isNothing {
                reader.report("is empty; at least the key `domains` is needed", at: whole)
                return nil
            }
            var budget = maxValues
            guard fits(node, depth: maxDepth, budget: &budget) else {
                root.report("too deep, or too large once its aliases are unfolded")
                return nil
            }
            return root
        } catch let error as YamlError {
            let (message, mark) = explain(error, in: yaml)
            reader.report(message, at: ConfigurationPlace(path: "", mark: mark))
        } catch {
            reader.report("not valid YAML", at: whole)
        }
        return nil
    }

    private static func fits(_ node: Yams.Node, depth: Int, budget: inout Int) -> Bool {
        budget -= 1
        if budget < 0 || depth == 0 { return false }
        switch node {
        case .scalar, .alias:
            return true
        case .sequence(let sequence):
            for element in sequence where !fits(element, depth: depth - 1, budget: &budget) { return false }
        case .mapping(let mapping):
            for (key, value) in mapping {
                if !fits(key, depth: depth - 1, budget: &budget) { return false }
                if !fits(value, depth: depth - 1, budget: &budget) { return false }
            }
        }
        return true
    }

    // MARK: - Syntax errors

    private typealias Explanation = (message: String, mark: (line: Int, column: Int)?)

    private static func explain(_ error: YamlError, in yaml: String) -> Explanation {
        switch error {
        case .composer(_, let problem, let mark, _) where problem.contains("another document"):
            return ("a second document begins here; one file holds one configuration", (mark.line, mark.column))
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            var message = "not valid YAML at column \(mark.column): \(problem)"
            if let context, context.mark.line != mark.line {
                message += ", \(context.text) that began on line \(context.mark.line)"
            } else if let context {
                message += ", \(context.text)"
            }
            if let hint = hint(for: problem, on: mark.line, of: yaml) { message += "; \(hint)" }
            return (message, (mark.line, mark.column))
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "`\($0)`" }.joined(separator: ", ")
            return (
                "given more than once in one mapping, here for the first time: \(names)",
                (context.mark.line, context.mark.column)
            )
        case .reader(let problem, let offset, _, _):
            guard let offset, let index = yaml.index(yaml.startIndex, offsetBy: offset, limitedBy: yaml.endIndex) else {
                return ("not valid YAML: \(problem)", nil)
            }
            let before = yaml[..<index]
            let line = before.utf8.count { $0 == UInt8(ascii: "\n") } + 1
            let column = before.unicodeScalars.reversed().prefix { $0 != "\n" }.count + 1
            return ("not valid YAML at column \(column): \(problem)", (line, column))
        default:
            return ("not valid YAML", nil)
        }
    }

    /// What usually is behind libyaml's words.
    private static func hint(for problem: String, on line: Int, of yaml: String) -> String? {
        let lines = yaml.split(maxSplits: line, omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        if lines.indices.contains(line - 1), lines[line - 1].prefix(while: { $0 == " " || $0 == "\t" }).contains("\t") {
            return "indent with spaces, for YAML takes no tabs there"
        }
        let hints = [
            ("mapping values are not allowed", "check the indentation, and quote a value that holds a colon"),
            ("did not find expected", "check the indentation here and in the lines above, and the quotes and brackets"),
            ("could not find expected ':'", "a key is followed by a colon and a space"),
            ("cannot start any token", "quote a value that starts with this character"),
            ("undefined alias", "quote a text that starts with *"),
            ("unexpected end of stream", "a quote or a bracket is not closed"),
        ]
        return hints.first { problem.contains($0.0) }?.1
    }
}
