/// Memory that a broker's bytes are received into, and lie in while they are decoded.
struct ReceiveBuffer: ~Copyable {
    private let usualCapacity: Int
    private var memory: UnsafeMutableRawBufferPointer
    /// What is unread lies from `start` to `end`.
    private var start = 0
    private var end = 0

    init(capacity: Int) {
        usualCapacity = capacity
        memory = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { memory.deallocate() }

    var capacity: Int { memory.count }

    /// What was received and not consumed. Stays where it is until `room(upTo:)`, consumed or not.
    var unread: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[start..<end]) }

    mutating func consume(_ count: Int) {
        precondition(count <= end - start, "consumed what never came")
        start += count
    }

    /// Throws away unread bytes that others may follow.
    mutating func remove(_ count: Int, at offset: Int) {
        let place = start + offset
        let tail = end - place - count
        precondition(tail >= 0, "removed what never came")
        if tail > 0 {
            (memory.baseAddress! + place).copyMemory(from: memory.baseAddress! + place + count, byteCount: tail)
        }
        end -= count
    }

    /// Where to receive what follows: at least a byte, and at most so many.
    mutating func room(upTo limit: Int) -> UnsafeMutableRawBufferPointer {
        if start > 0 {
            if end > start { memory.baseAddress!.copyMemory(from: memory.baseAddress! + start, byteCount: end - start) }
            (start, end) = (0, end - start)
        }
        if end == 0, memory.count > usualCapacity {
            memory.deallocate()
            memory = .allocate(byteCount: usualCapacity, alignment: 16)
        }
        // By what came, never by what is announced.
        if end == memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * memory.count, alignment: 16)
            larger.copyMemory(from: unread)
            memory.deallocate()
            memory = larger
        }
        return UnsafeMutableRawBufferPointer(rebasing: memory[end...].prefix(limit))
    }

    /// Takes over bytes that were written into the room.
    mutating func received(_ count: Int) {
        precondition(count <= memory.count - end, "received more than there was room for")
        end += count
    }
}
