import Glibc

/// Numbers the series of one input, from 0, and finds the number by the bytes that name it, without making names of them: a file has
/// many rows of each series.
struct SeriesTable: ~Copyable {
    /// By number.
    private(set) var names: [SeriesName] = []
    /// By number: whether the node is unknown and must not be created.
    private(set) var isRefused: [Bool] = []

    /// Nodes and tags are written in many ways; these are the names that they give.
    private var numbers: [SeriesName: Int32] = [:]
    private var keys: [Key] = []
    /// Places in `keys`, by hash; -1 where there is none.
    private var slots = [Int32](repeating: -1, count: 64)
    private var bytes: [UInt8] = []
    private var lastKey = -1

    private struct Key {
        var offset: Int
        var nodeCount: UInt8
        var tagCount: UInt8
        var hash: UInt64
        var series: Int32
    }

    /// The number of the series; nil when the bytes are not remembered.
    mutating func number(node: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer) -> Int32? {
        if lastKey >= 0, matches(keys[lastKey], node, tag) { return keys[lastKey].series }
        guard node.count <= 36, tag.count <= 255, !keys.isEmpty else { return nil }
        let hash = Self.hash(node, tag)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let place = Int(slots[slot])
            if keys[place].hash == hash, matches(keys[place], node, tag) {
                lastKey = place
                return keys[place].series
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// The number of a series, new or not; the bytes are remembered.
    mutating func add(_ name: SeriesName, node: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer) -> Int32 {
        let number = numbers[name] ?? Int32(names.count)
        if number == names.count {
            names.append(name)
            isRefused.append(false)
            numbers[name] = number
        }
        lastKey = keys.count
        keys.append(
            Key(
                offset: bytes.count, nodeCount: UInt8(node.count), tagCount: UInt8(tag.count),
                hash: Self.hash(node, tag), series: number))
        bytes += node
        bytes += tag
        if keys.count * 2 > slots.count {
            slots = [Int32](repeating: -1, count: slots.count * 2)
            for place in keys.indices { insert(place) }
        } else {
            insert(lastKey)
        }
        return number
    }

    mutating func refuse(_ number: Int) {
        isRefused[number] = true
    }

    private mutating func insert(_ place: Int) {
        var slot = Int(truncatingIfNeeded: keys[place].hash) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(place)
    }

    private func matches(_ key: Key, _ node: UnsafeRawBufferPointer, _ tag: UnsafeRawBufferPointer) -> Bool {
        guard Int(key.nodeCount) == node.count, Int(key.tagCount) == tag.count else { return false }
        return bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let node = node.baseAddress, let tag = tag.baseAddress else {
                return false
            }
            return memcmp(base + key.offset, node, Int(key.nodeCount)) == 0
                && memcmp(base + key.offset + Int(key.nodeCount), tag, Int(key.tagCount)) == 0
        }
    }

    /// Eight bytes at a time; whoever writes a file to make it slow slows down only his own import.
    private static func hash(_ node: UnsafeRawBufferPointer, _ tag: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(node.count)
        func mix(_ text: UnsafeRawBufferPointer) {
            var place = 0
            while place < text.count {
                var word: UInt64 = 0
                if text.count - place >= 8 {
                    word = text.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                } else {
                    for byte in text[place...] { word = word << 8 | UInt64(byte) }
                }
                let product = (hash ^ word).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
                hash = product.high ^ product.low
                place += 8
            }
        }
        mix(node)
        mix(tag)
        return hash ^ hash >> 32
    }
}
