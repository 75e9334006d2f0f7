/// Nodes as text: a number in canonical decimal digits, or a UUID in 8-4-4-4-12 form.
extension NodeName {
    /// nil unless the bytes are 1 … 2^63-1 in decimal digits without sign and leading zeros, or a UUID in any case.
    init?(utf8 bytes: UnsafeRawBufferPointer) {
        if let id = NodeID(utf8: bytes) {
            self = .id(id)
        } else if let uuid = NodeUUID(utf8: bytes) {
            self = .uuid(uuid)
        } else {
            return nil
        }
    }

    /// nil unless the text is 1 … 2^63-1 in decimal digits without sign and leading zeros, or a UUID in any case.
    public init?(_ text: String) {
        var text = text
        guard let name = text.withUTF8({ NodeName(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = name
    }
}

extension NodeID {
    /// nil unless the bytes are 1 … 2^63-1 in decimal digits without sign and leading zeros.
    init?(utf8 bytes: UnsafeRawBufferPointer) {
        // 19 digits stay within an unsigned word.
        guard bytes.count >= 1, bytes.count <= 19, bytes[0] != UInt8(ascii: "0") else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value &* 10 &+ UInt64(digit)
        }
        guard let number = Int64(exactly: value) else { return nil }
        self.init(number)
    }
}

extension NodeUUID {
    /// nil unless the text is a UUID in 8-4-4-4-12 form, in any case.
    init?(_ text: String) {
        guard case .uuid(let uuid) = NodeName(text) else { return nil }
        self = uuid
    }

    /// nil unless the bytes are a UUID in 8-4-4-4-12 form, in any case.
    init?(utf8 bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for place in 0..<36 {
            let byte = bytes[place]
            if place == 8 || place == 13 || place == 18 || place == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            var digit = byte &- UInt8(ascii: "0")
            if digit > 9 {
                digit = (byte | 0x20) &- UInt8(ascii: "a")
                guard digit <= 5 else { return nil }
                digit += 10
            }
            // The 16th digit ends before the third hyphen.
            if place < 18 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
        }
        self.init(high: high, low: low)
    }
}

// MARK: - For people

extension NodeID: CustomStringConvertible {
    public var description: String { String(number) }
}

extension NodeUUID: CustomStringConvertible {
    /// In 8-4-4-4-12 form, lower-case.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { bytes in
            var place = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    bytes[place] = UInt8(ascii: "-")
                    place += 1
                }
                let half = digit < 16 ? high : low
                let value = UInt8(half >> (60 - 4 * UInt64(digit & 15)) & 15)
                bytes[place] = value + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                place += 1
            }
            return place
        }
    }
}

extension NodeName: CustomStringConvertible {
    public var description: String {
        switch self {
        case .id(let id): id.description
        case .uuid(let uuid): uuid.description
        }
    }
}

extension SeriesName: CustomStringConvertible {
    /// As in a topic: `12/outdoortemp`.
    public var description: String { "\(node)/\(tag)" }
}
