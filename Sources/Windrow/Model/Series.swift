/// A node's number: 1 to 2^63 - 1.
public struct NodeID: Hashable, Comparable, Sendable {
    public let number: Int64

    /// nil when the number is not positive.
    public init?(_ number: Int64) {
        guard number > 0 else { return nil }
        self.number = number
    }

    public static func < (a: NodeID, b: NodeID) -> Bool { a.number < b.number }
}

/// A node's UUID, as its two big-endian halves.
public struct NodeUUID: Hashable, Comparable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public static func < (a: NodeUUID, b: NodeUUID) -> Bool {
        (a.high, a.low) < (b.high, b.low)
    }
}

/// How a writer names a node: either names it.
public enum NodeName: Hashable, Sendable {
    case id(NodeID)
    case uuid(NodeUUID)
}

/// What a node measures: 1 to 255 bytes of UTF-8 without control characters, `/`, `+` and `#`.
public struct Tag: Hashable, Comparable, Sendable {
    public let name: String

    /// For names that are known to be valid: from the journal or the database, or checked by `init(utf8:)`.
    init(unchecked name: String) {
        self.name = name
    }

    /// By bytes, as `==` and PostgreSQL's "C" collation.
    public static func < (a: Tag, b: Tag) -> Bool { a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
}

/// A series as writers name it.
public struct SeriesName: Hashable, Sendable {
    public var node: NodeName
    public var tag: Tag

    public init(node: NodeName, tag: Tag) {
        self.node = node
        self.tag = tag
    }
}

/// A series as the database numbers it (`series.id`).
public struct SeriesID: Hashable, Comparable, Sendable {
    public let number: Int32

    public init(_ number: Int32) {
        self.number = number
    }

    public static func < (a: SeriesID, b: SeriesID) -> Bool { a.number < b.number }
}
