import Foundation
import Testing

@testable import Windrow

private func point(_ time: Int64, _ value: Double) -> Point {
    Point(timestamp: Timestamp(microseconds: time), value: value)
}

/// A batch of random records over a few series, ranges settled.
func randomBatch(seed: UInt64) -> RecordBatch {
    var random = RandomEdits(seed: seed)
    var batch = RecordBatch()
    for _ in 0..<Int.random(in: 0...6, using: &random.generator) {
        batch.beginRecord()
        for _ in 0..<Int.random(in: 1...3, using: &random.generator) {
            let number = Int64.random(in: 1...4, using: &random.generator)
            let node = number == 4 ? NodeName.uuid(NodeUUID(high: 1, low: .max)) : .id(NodeID(number)!)
            let (action, points) = random.edit()
            batch.append(
                action,
                to: SeriesName(
                    node: node, tag: Tag(unchecked: ["t", "größe"].randomElement(using: &random.generator)!)),
                points: points)
        }
    }
    return batch
}

@Suite struct RecordBatchTests {
    @Test("the same timestamp twice within one edit: the last one counts, and the points are sorted")
    func lastOneCounts() {
        var batch = RecordBatch()
        let name = SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t"))
        batch.beginRecord()
        batch.append(.insert, to: name, points: [point(3, 1), point(1, 2), point(3, 3), point(2, 4), point(1, 5)])
        #expect(batch.points == [point(1, 5), point(2, 4), point(3, 3)])
        #expect(batch.supersededCount == 2)
        #expect(batch.edits[0].points == 0..<3)
    }

    @Test("edits know their record")
    func records() {
        var batch = RecordBatch()
        let name = SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t"))
        for count in [1, 3, 2] {
            batch.beginRecord()
            for _ in 0..<count { batch.append(.insert, to: name, points: [point(1, 1)]) }
        }
        #expect(batch.records == [0..<1, 1..<4, 4..<6])
        #expect(batch.recordCount == 3)
        #expect(batch.series == [name])
    }

    @Test("a batch comes back from its encoding as it was")
    func roundTrip() throws {
        for seed in UInt64(0)..<500 {
            let batch = randomBatch(seed: seed)
            let decoded = try batch.encoded().withUnsafeBytes { try RecordBatch(encoded: $0) }
            #expect(decoded == batch, "seed \(seed)")
            #expect(decoded.recordCount == batch.recordCount, "seed \(seed)")
        }
    }

    @Test("an encoding that is cut short or has a flipped bit is refused")
    func damage() {
        for seed in UInt64(1)..<40 {
            let good = randomBatch(seed: seed).encoded()
            for length in 0..<good.count {
                #expect(throws: RecordBatch.DecodingError.self) {
                    try good.prefix(length).withUnsafeBytes { try RecordBatch(encoded: $0) }
                }
            }
            for bit in stride(from: 0, to: good.count * 8, by: 7) {
                var bad = good
                bad[bit / 8] ^= 1 << (bit % 8)
                #expect(throws: RecordBatch.DecodingError.self) {
                    try bad.withUnsafeBytes { try RecordBatch(encoded: $0) }
                }
            }
        }
    }

    @Test("bytes that pass the checksum and are still no batch are refused, not trusted")
    func malice() {
        for seed in UInt64(0)..<2_000 {
            var generator = SeededGenerator(seed: seed)
            var bytes = randomBatch(seed: seed % 50).encoded()
            for _ in 0..<3 {
                bytes[Int.random(in: 8..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            let checksum = bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[8...])) }
            withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(4..<8, with: $0) }
            // Most are refused; one that is let in must be sound enough to be folded.
            guard let batch = try? bytes.withUnsafeBytes({ try RecordBatch(encoded: $0) }) else { continue }
            for edit in batch.edits {
                var window = PendingWindow()
                window.fold(edit.action, batch.points[edit.points])
                window.settle()
                #expect(window.points.count == Int(edit.pointCount), "seed \(seed)")
            }
        }
    }
}

/// Encodings that no batch has, under a checksum that is right.
@Suite struct RecordBatchMaliceTests {
    /// One series, then edits of a kind and a number of points.
    private func decode(
        _ edits: [(kind: UInt8, points: UInt32)], pointCount: UInt32, behind: Int
    ) throws(RecordBatch.DecodingError) -> RecordBatch {
        func bytes(_ integer: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: integer.littleEndian) { Array($0) }
        }
        var body = bytes(UInt32(1)) + bytes(UInt32(edits.count)) + bytes(pointCount)
        body += bytes(UInt8(0)) + bytes(Int64(1)) + [1, UInt8(ascii: "t")]
        for edit in edits { body += bytes(edit.kind) + bytes(UInt32(0)) + bytes(edit.points) }
        body += [UInt8](repeating: 0, count: behind)
        let encoded = Array("WRB1".utf8) + bytes(body.withUnsafeBytes { CRC32C.checksum($0) }) + body
        return try encoded.withUnsafeBytes { bytes in
            Result { () throws(RecordBatch.DecodingError) in try RecordBatch(encoded: bytes) }
        }.get()
    }

    @Test("edits that claim more points than a place in the batch can name are refused")
    func manyPoints() throws {
        let edits = [(kind: UInt8, points: UInt32)](repeating: (0x80, 144_000), count: 16_000)
        #expect(throws: RecordBatch.DecodingError.self) { try decode(edits, pointCount: .max, behind: 0) }
    }

    @Test("bytes behind the last point are refused")
    func bytesBehind() throws {
        #expect(try decode([(0x80, 1)], pointCount: 1, behind: 16).points == [point(0, 0)])
        #expect(throws: RecordBatch.DecodingError.self) { try decode([(0x80, 1)], pointCount: 1, behind: 17) }
    }

    @Test("an edit that belongs to no record is refused")
    func noRecord() throws {
        #expect(try decode([(0x80, 0), (0, 0)], pointCount: 0, behind: 0).recordCount == 1)
        #expect(throws: RecordBatch.DecodingError.self) { try decode([(0, 0), (0x80, 0)], pointCount: 0, behind: 0) }
    }
}

@Suite struct CRC32CTests {
    @Test("the check values of RFC 3720 come out")
    func checkValues() {
        func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.checksum($0) } }
        #expect(checksum(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(checksum(Array(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(checksum(Array(0..<32)) == 0x46DD_794E)
        #expect(checksum(Array("123456789".utf8)) == 0xE306_9283)
    }
}
