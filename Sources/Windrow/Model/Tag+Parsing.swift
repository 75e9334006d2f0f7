import Glibc

extension Tag {
    /// What makes a tag, to follow `expected` in a sentence.
    static let expectation = "1 to 255 bytes of UTF-8 without control characters, /, + and #"

    /// nil unless the bytes are 1 to 255 bytes of UTF-8 without control characters, `/`, `+` and `#`.
    init?(utf8 bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 1, bytes.count <= 255 else { return nil }
        var isASCII = true
        for byte in bytes {
            if byte >= 0x80 {
                isASCII = false
            } else if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "+")
                || byte == UInt8(ascii: "#")
            {
                return nil
            }
        }
        if isASCII {
            self.init(unchecked: String(decoding: bytes, as: UTF8.self))
            return
        }
        // Unicode has control characters above ASCII too: U+0080 to U+009F.
        guard let name = String(validating: bytes, as: UTF8.self),
            name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { return nil }
        self.init(unchecked: name)
    }

    /// nil unless the text is 1 to 255 bytes of UTF-8 without control characters, `/`, `+` and `#`.
    public init?(_ text: String) {
        var text = text
        guard let tag = text.withUTF8({ Tag(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = tag
    }

    /// Byte for byte, as in PostgreSQL. Swift's strings are equal when they look the same: “é” in one code point and in two
    /// would be one series within a batch and two series in the database.
    public static func == (a: Tag, b: Tag) -> Bool {
        a.withBytes { first in
            b.withBytes { second in
                guard first.count == second.count else { return false }
                guard let start = first.baseAddress, let other = second.baseAddress else { return true }
                return memcmp(start, other, first.count) == 0
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: $0) }
    }

    /// Without a copy of the string, as it is always a native one.
    private func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        if let result = name.utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) {
            return result
        }
        return Array(name.utf8).withUnsafeBytes(body)
    }
}

extension Tag: CustomStringConvertible {
    public var description: String { name }
}
