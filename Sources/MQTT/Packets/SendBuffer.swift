/// Packets that wait to be sent, in their order, in one piece of memory.
struct SendBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    /// What waits lies from `start` to `end`.
    private var start = 0
    private var end = 0
    /// Where a packet begins that has not been sent to its end: at `start` or before.
    private var packet = 0
    /// Acknowledgements that have not been sent to their end.
    private(set) var acknowledgements = 0

    init() { memory = .allocate(byteCount: 4096, alignment: 16) }

    deinit { memory.deallocate() }

    var isEmpty: Bool { start == end }
    var unsent: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[start..<end]) }
    /// Whether a part of a packet was sent, and not all of it.
    var isWithinPacket: Bool { packet < start }

    /// Queues PUBACK with the reason 0, which needs not be said. MQTT 5, section 3.4.
    @inline(__always)
    mutating func acknowledge(_ messageID: UInt16) {
        if memory.count - end < 4 { makeRoom(4) }
        let first = UInt32(PacketKind.puback.rawValue) << 28 | 2 << 16
        memory.storeBytes(of: (first | UInt32(messageID)).bigEndian, toByteOffset: end, as: UInt32.self)
        end += 4
        acknowledgements += 1
    }

    /// Queues a packet of another kind.
    mutating func append(_ bytes: [UInt8]) {
        if memory.count - end < bytes.count { makeRoom(bytes.count) }
        UnsafeMutableRawBufferPointer(rebasing: memory[end...]).copyBytes(from: bytes)
        end += bytes.count
    }

    /// Queues a packet that lies elsewhere.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if memory.count - end < bytes.count { makeRoom(bytes.count) }
        UnsafeMutableRawBufferPointer(rebasing: memory[end...]).copyMemory(from: bytes)
        end += bytes.count
    }

    /// Forgets bytes at the beginning, which were sent.
    mutating func sent(_ count: Int) {
        precondition(count <= end - start, "sent more than there was")
        start += count
        if start == end { return clear() }
        while packet < start {
            let size = packetSize(at: packet)
            guard packet + size <= start else { return }
            if memory[packet] == PacketKind.puback.rawValue << 4 { acknowledgements -= 1 }
            packet += size
        }
    }

    /// Forgets all that waits.
    mutating func clear() {
        (start, end, packet, acknowledgements) = (0, 0, 0, 0)
    }

    /// These are our own packets: they are whole.
    private func packetSize(at place: Int) -> Int {
        var (size, shift, offset) = (0, 0, 1)
        var byte: UInt8
        repeat {
            byte = memory[place + offset]
            size |= Int(byte & 0x7F) << shift
            shift += 7
            offset += 1
        } while byte >= 0x80
        return offset + size
    }

    private mutating func makeRoom(_ count: Int) {
        let used = UnsafeRawBufferPointer(rebasing: memory[packet..<end])
        var capacity = memory.count
        while capacity - used.count < count { capacity *= 2 }
        if capacity > memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: used)
            memory.deallocate()
            memory = larger
        } else {
            memory.copyMemory(from: used)
        }
        (start, end, packet) = (start - packet, end - packet, 0)
    }
}
