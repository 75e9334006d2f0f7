/// A message that does not fit into the receive buffer: what of it is kept, and what is thrown away as it comes.
struct LargeMessage {
    let header: FixedHeader
    /// Bytes that are not kept.
    let lostProperties: Int
    let lostPayload: Int
    /// Bytes of the packet that are kept in all, its fixed header included.
    let kept: Int

    /// Where in the kept bytes properties and payload are cut out, and how much of that is still to come.
    private let propertiesPlace: Int
    private var propertiesLeft: Int
    private var payloadLeft: Int

    /// Nil if the bytes end before the payload's size can be known.
    init?(
        _ header: FixedHeader, _ bytes: UnsafeRawBufferPointer, _ payloadLimit: Int
    ) throws(PacketError) {
        let come = UnsafeRawBufferPointer(rebasing: bytes[header.size..<min(bytes.count, header.packetSize)])
        var reader = ByteReader(come)
        let properties: Int
        do {
            _ = try reader.binary()
            if header.flags & 0x06 != 0 { _ = try reader.uint16() }
            properties = try reader.variable()
        } catch {
            guard error == .cutShort, come.count < header.bodySize else { throw error }
            return nil
        }
        let head = header.size + come.count - reader.count
        let payload = header.packetSize - head - properties
        guard payload >= 0 else { throw .cutShort }
        self.header = header
        lostProperties = properties > PacketStream.propertiesLimit ? properties : 0
        lostPayload = max(payload - payloadLimit, 0)
        kept = header.packetSize - lostProperties - lostPayload
        propertiesPlace = head
        propertiesLeft = lostProperties
        payloadLeft = lostPayload
    }

    /// Bytes that are to come when so many lie in the buffer.
    func outstanding(after count: Int) -> Int { max(kept + propertiesLeft + payloadLeft - count, 0) }

    func isComplete(_ count: Int) -> Bool { outstanding(after: count) == 0 }

    /// What to throw away of so many bytes in the buffer, if anything.
    func nextCut(_ count: Int) -> Range<Int>? {
        let (place, left) = propertiesLeft > 0 ? (propertiesPlace, propertiesLeft) : (kept, payloadLeft)
        return count > place && left > 0 ? place..<min(count, place + left) : nil
    }

    mutating func removed(_ count: Int) {
        if propertiesLeft > 0 { propertiesLeft -= count } else { payloadLeft -= count }
    }
}
