/// An MQTT topic filter, in which `+` stands for a level and `#` for the rest (MQTT 5 §4.7).
public struct TopicFilter: Hashable, Sendable {
    public let text: String

    /// nil when the text is no filter.
    public init?(_ text: String) {
        let levels = text.split(separator: "/", omittingEmptySubsequences: false)
        let isFilter =
            !text.isEmpty && !levels.dropLast().contains("#")
            && levels.allSatisfy { ["+", "#"].contains($0) || !$0.contains { "+#".contains($0) } }
        guard isFilter else { return nil }
        self.text = text
    }

    public func matches(_ topic: String) -> Bool {
        var levels = topic.split(separator: "/", omittingEmptySubsequences: false)[...]
        for wanted in text.split(separator: "/", omittingEmptySubsequences: false) {
            if wanted == "#" { return true }
            guard let level = levels.popFirst(), wanted == "+" || wanted == level else { return false }
        }
        return levels.isEmpty
    }
}
