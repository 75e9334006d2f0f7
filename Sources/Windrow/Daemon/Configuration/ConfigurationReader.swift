import Yams

/// What reading one configuration needs and gathers: the environment, the files around it, and the problems found so far.
///
/// Reading goes on past a problem, with a default in the place of the bad value, so that the operator learns of all of them at
/// once; `finish` then throws them, and the half-read configuration is dropped.
final class ConfigurationReader {
    let file: String
    let environment: [String: String]
    let files: ConfigurationFiles
    private var problems: [ConfigurationError.Problem] = []

    init(file: String, environment: [String: String], files: ConfigurationFiles) {
        self.file = file
        self.environment = environment
        self.files = files
    }

    func report(_ message: String, at place: ConfigurationPlace) {
        problems.append(
            ConfigurationError.Problem(
                file: file, line: place.mark?.line, column: place.mark?.column, path: place.path, message: message))
    }

    /// Throws what was reported, in the order of the file.
    func finish() throws(ConfigurationError) {
        if problems.isEmpty { return }
        // The index keeps problems of one place in the order in which they were found.
        func rank(_ index: Int) -> (Int, Int, Int) { (problems[index].line ?? 0, problems[index].column ?? 0, index) }
        let order = problems.indices.sorted { rank($0) < rank($1) }
        throw ConfigurationError(problems: order.map { problems[$0] })
    }
}

/// Where something stands in the file.
struct ConfigurationPlace {
    /// The keys that lead to it; empty at the top.
    var path: String
    /// nil for the file as a whole.
    var mark: (line: Int, column: Int)?

    /// The path of one of its keys.
    func path(of key: String) -> String {
        // A key that isn't plain text would garble the line it is reported on.
        let name =
            key.unicodeScalars.allSatisfy { $0.value >= 0x20 } && key.count <= 80 ? key : ConfigurationScalar.show(key)
        return path.isEmpty ? name : "\(path).\(name)"
    }

    func path(of index: Int) -> String { "\(path)[\(index)]" }
}

/// A node of the YAML tree at its place.
struct ConfigurationValue {
    let node: Yams.Node
    /// The mark is the value's own: what stands behind an alias is reported where it is written.
    let place: ConfigurationPlace
    let reader: ConfigurationReader

    init(_ node: Yams.Node, path: String, reader: ConfigurationReader) {
        self.node = node
        place = ConfigurationPlace(path: path, mark: node.position)
        self.reader = reader
    }

    func report(_ message: String) {
        reader.report(message, at: place)
    }

    /// A key without a value, or with YAML's null.
    var isNothing: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain, scalar.tag.rawValue.isEmpty else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The text of a scalar; reports anything else, and variables that can't be replaced.
    func scalar(expected: @autoclosure () -> String) -> ConfigurationScalar? {
        guard hasPlainTag else { return nil }
        guard case .scalar(let scalar) = node, !isNothing else {
            report("expected \(expected()), found \(kind)")
            return nil
        }
        do {
            return try ConfigurationScalar(scalar.string, environment: reader.environment)
        } catch {
            report(error.message)
            return nil
        }
    }

    /// The elements of a list; nil, reported, when it is something else or empty.
    func elements(expected: String) -> [ConfigurationValue]? {
        guard hasPlainTag else { return nil }
        guard case .sequence(let sequence) = node else {
            report("expected \(expected), found \(kind)")
            return nil
        }
        if sequence.isEmpty {
            report("expected \(expected), found an empty list")
            return nil
        }
        return sequence.enumerated().map { ConfigurationValue($1, path: place.path(of: $0), reader: reader) }
    }

    /// Reports a tag such as `!include`, which would otherwise be passed over in silence.
    var hasPlainTag: Bool {
        let (tag, plain) =
            switch node {
            case .scalar(let scalar): (scalar.tag.rawValue, "tag:yaml.org,2002:str")
            case .mapping(let mapping): (mapping.tag.rawValue, "tag:yaml.org,2002:map")
            case .sequence(let sequence): (sequence.tag.rawValue, "tag:yaml.org,2002:seq")
            case .alias(let alias): (alias.tag.rawValue, "")
            }
        // Yams has "" where the file gives no tag; "!" is YAML's own way to say that.
        if ["", "!", plain].contains(tag) { return true }
        report("YAML tags such as \(ConfigurationScalar.show(tag)) are not understood here")
        return false
    }

    /// For "found …". A value isn't shown: it may be a connection string or a password at the wrong place.
    var kind: String {
        switch node {
        case .scalar: isNothing ? "nothing" : "a single value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

extension Yams.Node {
    /// Where it begins, counted from 1.
    var position: (line: Int, column: Int)? { mark.map { ($0.line, $0.column) } }
}
