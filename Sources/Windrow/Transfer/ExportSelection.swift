/// Which points an export has.
public struct ExportSelection: Sendable {
    /// None for all.
    public var nodes: [NodeName] = []
    /// Each with `*` for any characters; none for all.
    public var tags: [String] = []
    public var start: Timestamp?
    /// Not included.
    public var end: Timestamp?

    public init() {}

    /// nil when there is no moment in it.
    var range: TimeRange? {
        let first = max(start ?? .earliest, .earliest)
        let last = min(end.map { Timestamp(microseconds: $0.microseconds - 1) } ?? .latest, .latest)
        return first <= last ? TimeRange(first: first, last: last) : nil
    }

    /// Patterns of SQL's LIKE.
    var likePatterns: [String] {
        tags.map { tag in
            tag.reduce(into: "") { pattern, character in
                switch character {
                case "*": pattern += "%"
                case "%", "_", "\\": pattern += "\\\(character)"
                default: pattern.append(character)
                }
            }
        }
    }
}
