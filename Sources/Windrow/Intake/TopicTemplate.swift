/// Where in a topic a publisher names the node and the tag, such as `nodes/{node}/{tag}`.
///
/// A template is an MQTT topic filter (MQTT 5 §4.7) in which exactly one level is `{node}` and exactly one is `{tag}`. The other
/// levels are literal, or `+` for one that does not matter. `$share/group/` in front subscribes to a share of the messages and
/// is no part of their topics.
public struct TopicTemplate: Hashable, Sendable {
    /// As it was written.
    public let text: String

    private enum Kind: UInt8 {
        case literal, wildcard, node, tag
    }

    /// Offsets into `bytes`, so that matching walks plain memory.
    private struct Level: Hashable {
        var kind: Kind
        var start: Int
        var end: Int
    }

    private let bytes: [UInt8]
    /// Without those of `$share/group/`.
    private let levels: [Level]

    /// Throws when the text is no template; the error says what was expected.
    public init(_ text: String) throws(TopicTemplateError) {
        guard !text.isEmpty else {
            throw TopicTemplateError("the topic is empty; expected a template such as nodes/{node}/{tag}")
        }
        guard text.utf8.count <= 65_535 else {
            throw TopicTemplateError("the topic has \(text.utf8.count) bytes; MQTT allows 65535")
        }
        guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw TopicTemplateError("the topic has a control character")
        }
        self.text = text
        bytes = Array(text.utf8)

        // By bytes, as MQTT does: to Swift a slash with an accent on it is no slash.
        var parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if parts[0].elementsEqual("$share".utf8) {
            guard parts.count > 3 || parts.count == 3 && !parts[2].isEmpty, Self.isGroup(parts[1]) else {
                throw TopicTemplateError(
                    "a shared subscription is written $share/group/topic, such as $share/windrow/nodes/{node}/{tag}, "
                        + "and its group is a plain name")
            }
            parts.removeFirst(2)
        }
        var levels: [Level] = []
        for part in parts {
            levels.append(Level(kind: try Self.kind(of: part), start: part.startIndex, end: part.endIndex))
        }
        for (kind, name) in [(Kind.node, "{node}"), (Kind.tag, "{tag}")] {
            let count = levels.count { $0.kind == kind }
            guard count == 1 else {
                throw TopicTemplateError(
                    "\(name) must be one level of the topic and is \(count == 0 ? "none" : "\(count)"); "
                        + "expected a template such as nodes/{node}/{tag}")
            }
        }
        self.levels = levels
    }

    /// Whether it is a share of the messages that is subscribed to.
    public var isShared: Bool { levels[0].start > 0 }

    /// Levels of the topics.
    var depth: Int { levels.count }

    /// What to subscribe to: the template with `+` for `{node}` and `{tag}`.
    public var filter: String {
        let share = String(decoding: bytes[..<levels[0].start], as: UTF8.self)
        let filters = levels.map { level in
            switch level.kind {
            case .literal: String(decoding: bytes[level.start..<level.end], as: UTF8.self)
            case .wildcard, .node, .tag: "+"
            }
        }
        return share + filters.joined(separator: "/")
    }

    /// The node and the tag as slices of the topic, not yet validated; nil when the topic is not one of the template's.
    func match(_ topic: UnsafeRawBufferPointer) -> (node: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer)? {
        var node = 0..<0
        var tag = 0..<0
        var start = 0
        for place in levels.indices {
            let level = levels[place]
            // The level before ended with the topic.
            guard start <= topic.count else { return nil }
            var end = start
            while end < topic.count, topic[end] != UInt8(ascii: "/") { end += 1 }
            switch level.kind {
            case .literal:
                guard end - start == level.end - level.start else { return nil }
                for offset in 0..<(end - start) where topic[start + offset] != bytes[level.start + offset] {
                    return nil
                }
            // A wildcard in the first place does not stand for topics such as $SYS (MQTT 5 §4.7.2).
            case _ where place == 0 && end > start && topic[0] == UInt8(ascii: "$"): return nil
            case .wildcard: break
            case .node: node = start..<end
            case .tag: tag = start..<end
            }
            start = end + 1
        }
        guard start == topic.count + 1 else { return nil }
        return (UnsafeRawBufferPointer(rebasing: topic[node]), UnsafeRawBufferPointer(rebasing: topic[tag]))
    }

    private static func isGroup(_ name: ArraySlice<UInt8>) -> Bool {
        !name.isEmpty && !name.contains { "+#{}".utf8.contains($0) }
    }

    private static func kind(of part: ArraySlice<UInt8>) throws(TopicTemplateError) -> Kind {
        if part.elementsEqual("{node}".utf8) { return .node }
        if part.elementsEqual("{tag}".utf8) { return .tag }
        if part.elementsEqual("+".utf8) { return .wildcard }
        let level = String(decoding: part, as: UTF8.self)
        if part.contains(UInt8(ascii: "#")) {
            throw TopicTemplateError(
                "# is not allowed: a topic has as many levels as its template; use + for a level that does not matter")
        }
        if part.contains(UInt8(ascii: "+")) {
            throw TopicTemplateError("+ must be a whole level of the topic, not a part of \(String(quoting: level))")
        }
        if part.contains(UInt8(ascii: "{")) || part.contains(UInt8(ascii: "}")) {
            throw TopicTemplateError(
                level.contains("{node}") || level.contains("{tag}")
                    ? "{node} and {tag} must each be a whole level of the topic, not a part of \(String(quoting: level))"
                    : "\(String(quoting: level)) is not known; the placeholders are {node} and {tag}")
        }
        return .literal
    }
}

/// Why a text is no topic template.
public struct TopicTemplateError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was found and what was expected.
    public let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
