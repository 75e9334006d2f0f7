/// A PUBLISH packet, decoded where it lies. MQTT 5, section 3.3.
struct Publication {
    let topic: UnsafeRawBufferPointer
    /// 0 at QoS 0.
    let messageID: UInt16
    /// Each is as it must be.
    let properties: UnsafeRawBufferPointer
    /// Bytes of properties that were too many to be kept.
    let lostProperties: Int
    /// Its beginning, if it is larger than the limit.
    let payload: UnsafeRawBufferPointer
    let payloadSize: Int
    let flags: UInt8

    var qos: UInt8 { flags >> 1 & 0x03 }
    var isRetained: Bool { flags & 0x01 != 0 }

    /// - Parameter limit: bytes of a payload that are given.
    init(_ packet: IncomingPacket, payloadLimit limit: Int) throws(PacketError) {
        flags = packet.flags
        let qos = packet.flags >> 1 & 0x03
        guard qos < 2 else { throw qos == 2 ? .qosTooHigh : .qosMalformed }
        var reader = ByteReader(packet.body)
        topic = try reader.binary()
        try Topic.check(name: topic)
        messageID = qos == 0 ? 0 : try reader.uint16()
        guard qos == 0 || messageID != 0 else { throw .noMessageID }
        let propertiesSize = try reader.variable()
        lostProperties = packet.lostProperties
        properties = try reader.bytes(lostProperties > 0 ? 0 : propertiesSize)
        if !properties.isEmpty { try Self.check(properties) }
        let rest = reader.rest
        payload = UnsafeRawBufferPointer(start: rest.baseAddress, count: min(rest.count, limit))
        payloadSize = rest.count + packet.lostPayload
    }

    private static func check(_ properties: UnsafeRawBufferPointer) throws(PacketError) {
        var reader = PropertyReader(properties, of: .publish)
        while let property = try reader.next() {
            // Our CONNECT allows none.
            if property.name == .topicAlias { throw .topicAlias }
        }
    }
}
