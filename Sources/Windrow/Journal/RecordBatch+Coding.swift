import struct Foundation.Data

// The journal's format for a batch, version 1. All integers little-endian, nothing aligned.
//
//   header   magic "WRB1" · u32 CRC-32C of all that follows it · u32 series · u32 edits · u32 points
//   series   u8 kind (0 id, 1 uuid) · i64 id or two u64 halves of the UUID · u8 length of the tag · the tag, UTF-8
//   edit     u8 action (0 insert, 1 update, 2 replace; bit 7: starts a record) · u32 series · u32 points
//            replace only: i64 first, i64 last, microseconds since 1970
//   point    i64 microseconds since 1970 · f64 value
//
// The points of an edit follow those of the edit before it. Ranges are settled before a batch is encoded, so that reading one back
// needs no other state.

extension RecordBatch {
    private static let magic: UInt32 = 0x3142_5257
    private static let headerSize = 20
    private static let startsRecordFlag: UInt8 = 0x80

    /// Why bytes are not a batch.
    struct DecodingError: Error, CustomStringConvertible {
        var description: String
    }

    func encoded() -> Data {
        var data = Data(count: encodedSize)
        data.withUnsafeMutableBytes { memory in
            var writer = Writer(memory: memory)
            writer.put(Self.magic)
            writer.put(UInt32(0))
            writer.put(UInt32(series.count))
            writer.put(UInt32(edits.count))
            writer.put(UInt32(points.count))
            for name in series { writer.put(name) }
            for edit in edits { writer.put(edit, flag: edit.startsRecord ? Self.startsRecordFlag : 0) }
            points.withUnsafeBytes { writer.put($0) }
            precondition(writer.offset == memory.count, "the size was computed for what is written")
            let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: memory[8...]))
            memory.storeBytes(of: checksum.littleEndian, toByteOffset: 4, as: UInt32.self)
        }
        return data
    }

    private var encodedSize: Int {
        var size = Self.headerSize + points.count * MemoryLayout<Point>.size
        for name in series {
            size += 2 + name.tag.name.utf8.count
            switch name.node {
            case .id: size += 8
            case .uuid: size += 16
            }
        }
        for edit in edits {
            size += 9
            if case .replace = edit.action { size += 16 }
        }
        return size
    }

    /// Reads a batch back. Every count, index, range and timestamp is checked: a batch that decodes can be folded.
    init(encoded bytes: UnsafeRawBufferPointer) throws(DecodingError) {
        var reader = Reader(bytes: bytes)
        guard try reader.integer(UInt32.self) == Self.magic else { throw DecodingError(description: "not a batch") }
        let checksum = try reader.integer(UInt32.self)
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[reader.offset...])) == checksum else {
            throw DecodingError(description: "the checksum does not match")
        }
        let seriesCount = Int(try reader.integer(UInt32.self))
        let editCount = Int(try reader.integer(UInt32.self))
        let pointCount = Int(try reader.integer(UInt32.self))
        // Also keeps the places of points within the 32 bits that an edit has for them.
        guard pointCount <= bytes.count / MemoryLayout<Point>.size else {
            throw DecodingError(description: "the batch is cut short")
        }

        var series: [SeriesName] = []
        series.reserveCapacity(min(seriesCount, bytes.count))
        for _ in 0..<seriesCount { series.append(try reader.seriesName()) }

        var edits: [Edit] = []
        edits.reserveCapacity(min(editCount, bytes.count))
        var firstPoint = 0
        for _ in 0..<editCount {
            let edit = try reader.edit(seriesCount: seriesCount, firstPoint: firstPoint, flag: Self.startsRecordFlag)
            firstPoint += Int(edit.pointCount)
            guard firstPoint <= pointCount else {
                throw DecodingError(description: "an edit has points beyond the batch's")
            }
            edits.append(edit)
        }
        guard firstPoint == pointCount else { throw DecodingError(description: "the batch has points of no edit") }
        guard edits.first?.startsRecord != false else { throw DecodingError(description: "an edit of no record") }

        let points = try reader.points(pointCount)
        guard reader.offset == bytes.count else {
            throw DecodingError(description: "the batch goes on behind its points")
        }
        for edit in edits { try Self.check(points[edit.points], of: edit) }
        self.init(series: series, edits: edits, points: points)
    }

    private static func check(_ points: ArraySlice<Point>, of edit: Edit) throws(DecodingError) {
        var previous: Timestamp?
        for point in points {
            guard point.timestamp >= .earliest, point.timestamp <= .latest, point.value.isFinite else {
                throw DecodingError(description: "a point is out of range")
            }
            if let previous, point.timestamp <= previous { throw DecodingError(description: "points do not ascend") }
            previous = point.timestamp
        }
        if case .replace(let range) = edit.action, let first = points.first, let last = points.last {
            guard range.contains(first.timestamp), range.contains(last.timestamp) else {
                throw DecodingError(description: "a point lies outside the range that it replaces")
            }
        }
    }
}

private struct Writer {
    let memory: UnsafeMutableRawBufferPointer
    var offset = 0

    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + bytes.count]).copyMemory(from: bytes)
        offset += bytes.count
    }

    mutating func put(_ integer: some FixedWidthInteger & BitwiseCopyable) {
        memory.storeBytes(of: integer.littleEndian, toByteOffset: offset, as: type(of: integer))
        offset += MemoryLayout.size(ofValue: integer)
    }

    mutating func put(_ name: SeriesName) {
        switch name.node {
        case .id(let id):
            put(UInt8(0))
            put(id.number)
        case .uuid(let uuid):
            put(UInt8(1))
            put(uuid.high)
            put(uuid.low)
        }
        var tag = name.tag.name
        tag.withUTF8 { bytes in
            put(UInt8(bytes.count))
            put(UnsafeRawBufferPointer(bytes))
        }
    }

    mutating func put(_ edit: Edit, flag: UInt8) {
        switch edit.action {
        case .insert: put(flag | 0)
        case .update: put(flag | 1)
        case .replace: put(flag | 2)
        case .stream: preconditionFailure("acceptance settles the range of a stream edit before it is journaled")
        }
        put(UInt32(edit.series))
        put(UInt32(edit.pointCount))
        if case .replace(let range) = edit.action {
            put(range.first.microseconds)
            put(range.last.microseconds)
        }
    }
}

private struct Reader {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    mutating func take(_ count: Int) throws(RecordBatch.DecodingError) -> UnsafeRawBufferPointer {
        guard count <= bytes.count - offset else {
            throw RecordBatch.DecodingError(description: "the batch is cut short")
        }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    mutating func integer<I: FixedWidthInteger>(_: I.Type) throws(RecordBatch.DecodingError) -> I {
        I(littleEndian: try take(MemoryLayout<I>.size).loadUnaligned(as: I.self))
    }

    mutating func seriesName() throws(RecordBatch.DecodingError) -> SeriesName {
        let node: NodeName
        switch try integer(UInt8.self) {
        case 0:
            guard let id = NodeID(try integer(Int64.self)) else {
                throw RecordBatch.DecodingError(description: "a node id is not positive")
            }
            node = .id(id)
        case 1: node = .uuid(NodeUUID(high: try integer(UInt64.self), low: try integer(UInt64.self)))
        default: throw RecordBatch.DecodingError(description: "a node of an unknown kind")
        }
        let tag = try take(Int(try integer(UInt8.self)))
        guard let name = String(validating: tag, as: UTF8.self) else {
            throw RecordBatch.DecodingError(description: "a tag is not UTF-8")
        }
        return SeriesName(node: node, tag: Tag(unchecked: name))
    }

    mutating func edit(seriesCount: Int, firstPoint: Int, flag: UInt8) throws(RecordBatch.DecodingError) -> Edit {
        let kind = try integer(UInt8.self)
        let series = try integer(UInt32.self)
        let pointCount = try integer(UInt32.self)
        guard series < seriesCount else { throw RecordBatch.DecodingError(description: "an edit of no series") }
        guard pointCount <= bytes.count else { throw RecordBatch.DecodingError(description: "the batch is cut short") }
        let action: EditAction
        switch kind & ~flag {
        case 0: action = .insert
        case 1: action = .update
        case 2:
            let first = Timestamp(microseconds: try integer(Int64.self))
            let last = Timestamp(microseconds: try integer(Int64.self))
            guard first >= .earliest, first <= last, last <= .latest else {
                throw RecordBatch.DecodingError(description: "a range is out of bounds")
            }
            action = .replace(TimeRange(first: first, last: last))
        default: throw RecordBatch.DecodingError(description: "an edit of an unknown kind")
        }
        return Edit(
            series: Int32(series), action: action, firstPoint: Int32(firstPoint), pointCount: Int32(pointCount),
            startsRecord: kind & flag != 0)
    }

    mutating func points(_ count: Int) throws(RecordBatch.DecodingError) -> [Point] {
        let memory = try take(count * MemoryLayout<Point>.size)
        return [Point](unsafeUninitializedCapacity: count) { points, initialized in
            UnsafeMutableRawBufferPointer(points).copyMemory(from: memory)
            initialized = count
        }
    }
}
