/// Reads the parts that MQTT packets are made of, from memory that outlives it. Never past the end. MQTT 5, section 1.5.
struct ByteReader {
    private var position: UnsafeRawPointer
    private let end: UnsafeRawPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        // No bytes may mean no memory; then any address will do, as nothing is read from it.
        position = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        end = position + bytes.count
    }

    var count: Int { end - position }

    /// What has not been read.
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: position, count: count) }

    mutating func byte() throws(PacketError) -> UInt8 {
        guard count >= 1 else { throw .cutShort }
        defer { position += 1 }
        return position.load(as: UInt8.self)
    }

    mutating func uint16() throws(PacketError) -> UInt16 {
        guard count >= 2 else { throw .cutShort }
        defer { position += 2 }
        return UInt16(bigEndian: position.loadUnaligned(as: UInt16.self))
    }

    mutating func uint32() throws(PacketError) -> UInt32 {
        guard count >= 4 else { throw .cutShort }
        defer { position += 4 }
        return UInt32(bigEndian: position.loadUnaligned(as: UInt32.self))
    }

    mutating func bytes(_ size: Int) throws(PacketError) -> UnsafeRawBufferPointer {
        guard count >= size else { throw .cutShort }
        defer { position += size }
        return UnsafeRawBufferPointer(start: position, count: size)
    }

    /// Bytes behind their number.
    mutating func binary() throws(PacketError) -> UnsafeRawBufferPointer {
        try bytes(Int(try uint16()))
    }

    /// UTF-8 without NUL behind the number of its bytes.
    mutating func text() throws(PacketError) -> UnsafeRawBufferPointer {
        let text = try binary()
        guard UTF8Text.isValid(text) else { throw .malformedText }
        return text
    }

    /// A variable byte integer: seven bits a byte, the lowest first, in as few bytes as it takes, of which there are
    /// four at most.
    mutating func variable() throws(PacketError) -> Int {
        var value = 0
        for place in 0..<4 {
            let byte = try byte()
            value |= Int(byte & 0x7F) << (7 * place)
            if byte < 0x80 {
                guard place == 0 || byte != 0 else { throw .malformedLength }
                return value
            }
        }
        throw .malformedLength
    }
}
