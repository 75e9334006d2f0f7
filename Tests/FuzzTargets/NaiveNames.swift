@testable import Windrow

/// Whether both texts have the same bytes. Swift's strings are equal when they look the same.
func sameBytes(_ a: String, _ b: String) -> Bool {
    a.utf8.elementsEqual(b.utf8)
}

/// Nodes and tags by the book, to compare with.
enum NaiveNames {
    static func node(_ text: String) -> NodeName? {
        id(text).map { .id($0) } ?? uuid(text).map { .uuid($0) }
    }

    static func id(_ text: String) -> NodeID? {
        guard let number = Int64(text), sameBytes(String(number), text) else { return nil }
        return NodeID(number)
    }

    static func uuid(_ text: String) -> NodeUUID? {
        let groups = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        let digits = Array("0123456789abcdefABCDEF".utf8)
        guard groups.map(\.count) == [8, 4, 4, 4, 12], groups.joined().allSatisfy(digits.contains) else { return nil }
        let hex = String(decoding: Array(groups.joined()), as: UTF8.self)
        guard let high = UInt64(hex.prefix(16), radix: 16), let low = UInt64(hex.suffix(16), radix: 16) else {
            return nil
        }
        return NodeUUID(high: high, low: low)
    }

    static func tag(_ text: String) -> Tag? {
        let isTag =
            (1...255).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { scalar in
                !(scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value))
                    && scalar != "/" && scalar != "+" && scalar != "#"
            }
        return isTag ? Tag(unchecked: text) : nil
    }
}
