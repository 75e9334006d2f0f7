/// The place of a batch in its journal. Positions ascend in the order of acceptance, which is *the* order, and are never used again.
public struct JournalPosition: Hashable, Comparable, Sendable {
    public let number: Int64

    public init(_ number: Int64) {
        self.number = number
    }

    /// Before the first batch.
    public static let start = JournalPosition(0)

    public static func < (a: JournalPosition, b: JournalPosition) -> Bool { a.number < b.number }
}
