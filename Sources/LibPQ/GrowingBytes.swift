/// Raw bytes that grow, for data on its way to libpq. Numbers go in big-endian, as PostgreSQL's binary formats want.
///
/// Appending takes two steps so that a whole row costs one check: `reserve` first, then any number of `append`s that
/// fit, which check nothing.
@usableFromInline
struct GrowingBytes: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var count = 0
    @usableFromInline var capacity: Int

    init(capacity: Int) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    // Inlinable because the optimizer of Swift 6.3.1 fails an assertion in release builds when it is not.
    @inlinable deinit { base.deallocate() }

    @inlinable
    mutating func reserve(_ extra: Int) {
        if capacity &- count < extra { grow(by: extra) }
    }

    @usableFromInline @inline(never)
    mutating func grow(by extra: Int) {
        move(toCapacity: max(capacity * 2, count + extra))
    }

    mutating func move(toCapacity newCapacity: Int) {
        let moved = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = newCapacity
    }

    /// Needs room reserved.
    @inlinable
    mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        (base + count).storeBytes(of: number.bigEndian, as: Number.self)
        count &+= MemoryLayout<Number>.size
    }

    /// Needs room reserved.
    mutating func append(_ text: String.UTF8View) {
        let end = UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
        end.copyBytes(from: text)
        count += text.count
    }
}
