/// What every packet begins with: its kind, four flags, and how long it is. MQTT 5, section 2.1.1.
struct FixedHeader {
    var kind: PacketKind
    var flags: UInt8
    /// Bytes of this header.
    var size: Int
    /// Bytes that follow it.
    var bodySize: Int

    var packetSize: Int { size + bodySize }

    /// Nil if the bytes end within it.
    init?(_ bytes: UnsafeRawBufferPointer) throws(PacketError) {
        guard bytes.count >= 2 else {
            if let first = bytes.first { _ = try Self.kind(first) }
            return nil
        }
        kind = try Self.kind(bytes[0])
        flags = bytes[0] & 0x0F
        // Most are shorter than that.
        if bytes[1] < 0x80 {
            (size, bodySize) = (2, Int(bytes[1]))
            return
        }
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[1...]))
        let before = reader.count
        do {
            bodySize = try reader.variable()
            size = 1 + before - reader.count
        } catch {
            guard error == .cutShort else { throw error }
            return nil
        }
    }

    /// A publication's flags mean something; of the others that a broker sends, they are 0. MQTT 5, section 2.1.3.
    private static func kind(_ first: UInt8) throws(PacketError) -> PacketKind {
        guard let kind = PacketKind(rawValue: first >> 4), kind == .publish || first & 0x0F == kind.reservedFlags else {
            throw .malformedFlags
        }
        return kind
    }
}

/// MQTT 5, section 2.1.2.
enum PacketKind: UInt8 {
    case connect = 1
    case connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback, pingreq, pingresp
    case disconnect, auth

    var reservedFlags: UInt8 {
        switch self {
        case .pubrel, .subscribe, .unsubscribe: 2
        default: 0
        }
    }
}
