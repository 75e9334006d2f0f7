/// Which topics somebody means: an MQTT topic filter, in which `+` stands for a level and `#` for the rest (MQTT 5 §4.7).
///
/// A subscription's topic may be given as the configuration has it: `{node}` and `{tag}` stand for a level each, and of a shared
/// subscription, `$share/group/…`, all that is published there is meant, whoever of the group gets it.
public struct TopicFilter: Hashable, Sendable {
    public let text: String
    private let levels: [Substring]

    /// nil when the text is no filter.
    public init?(_ text: String) {
        var levels = text.split(separator: "/", omittingEmptySubsequences: false)
        if levels[0] == "$share" {
            guard levels.count > 2, !levels[1].isEmpty, !levels[1].contains(where: { "+#".contains($0) }),
                levels[2...] != [""]
            else { return nil }
            levels.removeFirst(2)
        }
        let isFilter =
            !text.isEmpty && !levels.dropLast().contains("#")
            && levels.allSatisfy { ["+", "#"].contains($0) || !$0.contains { "+#".contains($0) } }
        guard isFilter else { return nil }
        self.text = text
        self.levels = levels.map { ["{node}", "{tag}"].contains($0) ? "+" : $0 }
    }

    public func matches(_ topic: String) -> Bool {
        var found = topic.split(separator: "/", omittingEmptySubsequences: false)[...]
        for wanted in levels {
            if wanted == "#" { return true }
            guard let level = found.popFirst(), wanted == "+" || wanted == level else { return false }
        }
        return found.isEmpty
    }
}
