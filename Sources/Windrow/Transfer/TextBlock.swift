import Glibc

/// A stretch of the (inflated) input that begins and ends with a line, in memory that grows while it is read and is not changed after.
///
/// Lines are kept until they are committed, so that one which PostgreSQL refuses can be shown as it came.
// Sendable unchecked: the parser alone grows it, before it gives it away.
final class TextBlock: @unchecked Sendable {
    /// Where its first byte is in the input.
    let start: Int
    /// The number of its first line, from 1.
    let firstLine: Int
    private(set) var base: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    private var capacity: Int

    /// Bytes that may be read behind the end: no number or word goes on into them.
    private static let padding = 64

    init(start: Int, firstLine: Int, capacity: Int) {
        self.start = start
        self.firstLine = firstLine
        self.capacity = max(capacity, 4096)
        base = .allocate(capacity: self.capacity + Self.padding)
        base.initialize(repeating: 0, count: Self.padding)
    }

    deinit {
        base.deallocate()
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let first = bytes.baseAddress, !bytes.isEmpty else { return }
        if capacity - count < bytes.count {
            capacity = max(capacity * 2, count + bytes.count)
            let grown = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity + Self.padding)
            memcpy(grown, base, count)
            base.deallocate()
            base = grown
        }
        memcpy(base + count, first, bytes.count)
        count += bytes.count
        memset(base + count, 0, Self.padding)
    }

    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// Gives back what lies behind `end`.
    func cut(at end: Int) {
        count = end
        memset(base + count, 0, Self.padding)
    }

    /// The number of the line at a place.
    func line(at place: Int) -> Int {
        firstLine + Self.lines(in: bytes(0..<place))
    }

    /// Newlines among the bytes.
    static func lines(in bytes: UnsafeRawBufferPointer) -> Int {
        var lines = 0
        for byte in bytes { lines &+= byte == UInt8(ascii: "\n") ? 1 : 0 }
        return lines
    }
}

/// The place of the first such byte between two places.
func firstPlace(of byte: UInt8, in text: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int? {
    guard let found = memchr(text + start, Int32(byte), end - start) else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(text)
}

func firstNewline(in text: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int? {
    firstPlace(of: UInt8(ascii: "\n"), in: text, from: start, to: end)
}
