import GRDB

/// Which dead letters an operator means. What is nil or empty does not matter.
public struct DeadLetterFilter: Sendable {
    public var ids: [Int64] = []
    public var reasons: [Rejection.Reason] = []
    public var topic: TopicFilter?
    public var before: Timestamp?
    public var after: Timestamp?

    public init() {}

    /// True when every letter is meant.
    public var isEmpty: Bool { ids.isEmpty && reasons.isEmpty && topic == nil && before == nil && after == nil }

    /// The SQL function that `condition` calls for the topic.
    static let matchTopic = DatabaseFunction("matches_topic", argumentCount: 2, pure: true) { values in
        guard let filter = String.fromDatabaseValue(values[0]).flatMap(TopicFilter.init),
            let topic = String.fromDatabaseValue(values[1])
        else {
            return false
        }
        return filter.matches(topic)
    }

    /// A condition in SQL, and what its question marks stand for.
    var condition: (sql: String, arguments: StatementArguments) {
        var terms = ["1"]
        var arguments = StatementArguments()
        if !ids.isEmpty {
            terms.append("id IN (\(ids.map(String.init).joined(separator: ",")))")
        }
        if !reasons.isEmpty {
            terms.append("reason IN (\(reasons.map { _ in "?" }.joined(separator: ",")))")
            arguments += StatementArguments(reasons.map(\.rawValue))
        }
        if let topic {
            terms.append("matches_topic(?, topic)")
            arguments += [topic.text]
        }
        if let before {
            terms.append("received_at <= ?")
            arguments += [before.microseconds]
        }
        if let after {
            terms.append("received_at >= ?")
            arguments += [after.microseconds]
        }
        return (terms.joined(separator: " AND "), arguments)
    }
}
