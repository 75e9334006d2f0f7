/// Memory that points are read into, one document after another. Not Sendable.
final class PointBuffer {
    private var memory = UnsafeMutableBufferPointer<Point>.allocate(capacity: 64)

    /// So many points are kept for the next document; what a larger one needed is given back when it has passed.
    private static let keptCapacity = 1 << 16

    deinit {
        memory.deallocate()
    }

    /// Room for `count` points, uninitialised; valid until the next call.
    func reserve(_ count: Int) -> UnsafeMutableBufferPointer<Point> {
        let isTooLarge = memory.count > Self.keptCapacity && count <= Self.keptCapacity
        if count > memory.count || isTooLarge {
            memory.deallocate()
            memory = .allocate(capacity: max(count, 64))
        }
        return UnsafeMutableBufferPointer(rebasing: memory[..<count])
    }
}
