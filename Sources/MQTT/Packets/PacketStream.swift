// A packet is decoded where it was received. It has to lie there whole, but for a message that does not fit into the buffer's usual
// capacity: of that one, the payload is kept up to a limit, and properties that are larger than any use are not kept at all. So
// the memory that a broker can have this process take is the capacity, or else twice the topic, the largest properties, and the limit.

/// Cuts what a broker sends into packets.
struct PacketStream: ~Copyable {
    private var buffer: ReceiveBuffer
    private let usualCapacity: Int
    private let payloadLimit: Int
    private var large: LargeMessage?

    /// Bytes of a message's properties that are kept; if there are more, none are.
    static let propertiesLimit = 1 << 18
    /// Bytes that a packet may have that is no message.
    static let packetLimit = 1 << 20

    /// - Parameter payloadLimit: bytes of a payload that are kept.
    init(capacity: Int, payloadLimit: Int) {
        usualCapacity = capacity
        self.payloadLimit = payloadLimit
        buffer = ReceiveBuffer(capacity: capacity)
    }

    /// Bytes of memory that are in use.
    var capacity: Int { buffer.capacity }

    /// Where to receive what comes next. Ends the life of all packets that were given.
    mutating func room() -> UnsafeMutableRawBufferPointer {
        // Nothing behind a large message, so that all of what is to be thrown away can be.
        buffer.room(upTo: large.map { $0.outstanding(after: buffer.unread.count) } ?? .max)
    }

    /// Takes over bytes that were received into the room.
    mutating func received(_ count: Int) {
        buffer.received(count)
        if large != nil { skip() }
    }

    /// The next packet. Nil if it has not come whole.
    mutating func next() throws(PacketError) -> IncomingPacket? {
        if large == nil {
            let bytes = buffer.unread
            guard let header = try FixedHeader(bytes) else { return nil }
            if header.kind != .publish {
                guard header.packetSize <= Self.packetLimit else { throw .tooLarge }
            } else if header.packetSize > usualCapacity {
                return try nextLarge(header)
            }
            guard header.packetSize <= bytes.count else { return nil }
            buffer.consume(header.packetSize)
            return IncomingPacket(header, UnsafeRawBufferPointer(rebasing: bytes[header.size..<header.packetSize]))
        }
        return nextLarge()
    }

    private mutating func nextLarge(_ header: FixedHeader) throws(PacketError) -> IncomingPacket? {
        guard let message = try LargeMessage(header, buffer.unread, payloadLimit) else { return nil }
        large = message
        skip()
        return nextLarge()
    }

    private mutating func nextLarge() -> IncomingPacket? {
        guard let message = large, message.isComplete(buffer.unread.count) else { return nil }
        let kept = UnsafeRawBufferPointer(rebasing: buffer.unread[message.header.size..<message.kept])
        buffer.consume(message.kept)
        large = nil
        return IncomingPacket(
            message.header, kept, lostProperties: message.lostProperties, lostPayload: message.lostPayload)
    }

    /// Throws away what came of a large message and is not to be kept.
    private mutating func skip() {
        while let cut = large?.nextCut(buffer.unread.count) {
            buffer.remove(cut.count, at: cut.lowerBound)
            large?.removed(cut.count)
        }
    }
}

/// A packet as it came, but for what was not kept of a large message.
struct IncomingPacket {
    let kind: PacketKind
    let flags: UInt8
    /// What follows the fixed header.
    let body: UnsafeRawBufferPointer
    /// Bytes of properties, none of which is in the body.
    let lostProperties: Int
    /// Bytes at the payload's end that are not in the body.
    let lostPayload: Int

    @inline(__always)
    init(_ header: FixedHeader, _ body: UnsafeRawBufferPointer, lostProperties: Int = 0, lostPayload: Int = 0) {
        kind = header.kind
        flags = header.flags
        self.body = body
        self.lostProperties = lostProperties
        self.lostPayload = lostPayload
    }
}
