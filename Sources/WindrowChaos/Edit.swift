/// A series as its writer names it.
struct SeriesName: Hashable, CustomStringConvertible {
    enum Node: Hashable {
        case id(Int64)
        /// 8-4-4-4-12, lower case.
        case uuid(String)
    }

    var node: Node
    var tag: String

    var description: String { "\(nodeText)/\(tag)" }

    /// The node as a level of a topic.
    var nodeText: String {
        switch node {
        case .id(let id): "\(id)"
        case .uuid(let uuid): uuid
        }
    }
}

/// One value at one time.
struct Point: Equatable {
    /// Since 1970-01-01 UTC.
    var microseconds: Int64
    var value: Double
}

/// What an edit does with what the series has already.
enum Mode: String, CaseIterable {
    case insert
    case update = "update_window"
    case replace = "replace_window"
}

/// One writer's intent for one series, as the daemon documents it.
struct Edit: Equatable {
    var series: SeriesName
    var mode: Mode
    /// In the order in which they are sent; of the same timestamp twice, the last counts.
    var points: [Point]
    /// Stated by the sender; without it, a replacement covers the points.
    var window: ClosedRange<Int64>?
    /// Expected to be refused by PostgreSQL: a point of this edit that is not among `points`.
    var poison: Int64?

    /// The value that PostgreSQL is made to refuse.
    static let poisonValue = -666.25

    /// What a replacement deletes first; nil for other edits.
    var replaced: ClosedRange<Int64>? {
        guard mode == .replace else { return nil }
        if let window { return window }
        let times = sent.map(\.microseconds)
        guard let first = times.min(), let last = times.max() else { return nil }
        return first...last
    }

    /// All points that are sent.
    var sent: [Point] {
        guard let poison else { return points }
        // In the middle: what stands before and after it must be stored.
        var all = points
        all.insert(Point(microseconds: poison, value: Self.poisonValue), at: all.count / 2)
        return all
    }
}
