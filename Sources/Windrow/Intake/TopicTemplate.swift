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

    /// The template without its `$share/group/`.
    private let bytes: [UInt8]
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
        bytes = Array(try Self.withoutShare(text).utf8)

        var levels: [Level] = []
        for level in bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            let kind = try Self.kind(of: String(decoding: level, as: UTF8.self))
            levels.append(Level(kind: kind, start: level.startIndex, end: level.endIndex))
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

    /// What to subscribe to: the template with `+` for `{node}` and `{tag}`.
    public var filter: String {
        text.split(separator: "/", omittingEmptySubsequences: false)
            .map { $0 == "{node}" || $0 == "{tag}" ? "+" : $0 }
            .joined(separator: "/")
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

    private static func withoutShare(_ text: String) throws(TopicTemplateError) -> Substring {
        guard text == "$share" || text.hasPrefix("$share/") else { return text[...] }
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty, !parts[1].contains(where: { "+#{}".contains($0) })
        else {
            throw TopicTemplateError(
                "a shared subscription is written $share/group/topic, such as $share/windrow/nodes/{node}/{tag}, "
                    + "and its group is a plain name")
        }
        return parts[2]
    }

    private static func kind(of level: String) throws(TopicTemplateError) -> Kind {
        switch level {
        case "{node}": return .node
        case "{tag}": return .tag
        case "+": return .wildcard
        default: break
        }
        if level.contains("#") {
            throw TopicTemplateError(
                "# is not allowed: a topic has as many levels as the template; use + for a level that does not matter")
        }
        if level.contains("+") {
            throw TopicTemplateError("+ must be a whole level of the topic, not a part of “\(level)”")
        }
        if level.contains("{node}") || level.contains("{tag}") {
            throw TopicTemplateError(
                "{node} and {tag} must each be a whole level of the topic, not a part of “\(level)”")
        }
        if level.contains("{") || level.contains("}") {
            throw TopicTemplateError("“\(level)” is not known; the placeholders are {node} and {tag}")
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
