/// What MQTT takes for text: UTF-8 without U+0000. MQTT 5, section 1.5.4.
enum UTF8Text {
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        while place < bytes.count {
            // Most of it is ASCII: eight bytes at a time as long as it is.
            while place + 8 <= bytes.count {
                let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                guard word & EightBytes.highBits == 0, !EightBytes.hasZero(word) else { break }
                place += 8
            }
            guard place < bytes.count else { break }
            let size = scalarSize(bytes, place)
            guard size > 0 else { return false }
            place += size
        }
        return true
    }

    /// How many bytes the scalar at a place has; 0 if there is none. The ranges are those of Unicode, table 3-7.
    private static func scalarSize(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> Int {
        let first = bytes[place]
        let second: ClosedRange<UInt8>
        let size: Int
        switch first {
        case 0x01...0x7F: return 1
        case 0xC2...0xDF: (size, second) = (2, 0x80...0xBF)
        case 0xE0: (size, second) = (3, 0xA0...0xBF)
        case 0xED: (size, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (size, second) = (3, 0x80...0xBF)
        case 0xF0: (size, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (size, second) = (4, 0x80...0xBF)
        case 0xF4: (size, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard bytes.count - place >= size, second.contains(bytes[place + 1]) else { return 0 }
        for offset in 2..<max(size, 2) where bytes[place + offset] & 0xC0 != 0x80 { return 0 }
        return size
    }
}

/// Eight bytes looked at together.
enum EightBytes {
    static let highBits: UInt64 = 0x8080_8080_8080_8080
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// Whether one of the eight is 0.
    @inline(__always)
    static func hasZero(_ word: UInt64) -> Bool { (word &- ones) & ~word & highBits != 0 }

    /// Whether one of the eight is this byte.
    @inline(__always)
    static func has(_ byte: UInt8, _ word: UInt64) -> Bool { hasZero(word ^ (ones &* UInt64(byte))) }
}
