import Foundation
import Testing
import WindrowTestSupport
import Zlib

@Suite struct GzipInflaterTests {
    private let folder = try! TemporaryFolder()

    /// As the gzip program writes it.
    private func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
        let path = folder.path + "/\(UUID().uuidString)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try Command.require("gzip", ["-n", path])
        return Array(try Data(contentsOf: URL(fileURLWithPath: path + ".gz")))
    }

    private func inflate(_ bytes: [UInt8], pieces: Int) throws -> [UInt8] {
        let inflater = GzipInflater()
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            try bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { piece in
                try inflater.inflate(piece) { output += $0 }
            }
        }
        try inflater.finish()
        return output
    }

    private let text = (0..<50_000).flatMap { Array("line \($0 * 7919 % 10_007)\n".utf8) }

    @Test("what gzip has written comes out again, in whatever pieces it comes", arguments: [1, 7, 4096, .max / 2])
    func pieces(_ size: Int) throws {
        let packed = try gzip(text)
        #expect(try inflate(packed, pieces: min(size, packed.count)) == text)
    }

    @Test("several members are one stream")
    func members() throws {
        let packed = try gzip(text) + gzip([]) + gzip(Array("end".utf8))
        #expect(try inflate(packed, pieces: 1000) == text + Array("end".utf8))
        #expect(try inflate(packed, pieces: packed.count) == text + Array("end".utf8))
    }

    @Test("data that end too early, are damaged, or are something else are refused")
    func damaged() throws {
        let packed = try gzip(text)
        var flipped = packed
        flipped[packed.count / 2] ^= 0x55
        for bad in [Array(packed.dropLast()), flipped, Array("[{}]".utf8), packed + [1, 2, 3], []] {
            #expect(throws: GzipError.self) { try inflate(bad, pieces: max(bad.count, 1)) }
        }
    }

    @Test("whoever takes the output can stop it, so that a bomb costs no memory")
    func bomb() throws {
        struct Enough: Error {}
        let packed = try gzip([UInt8](repeating: 0, count: 50 << 20))
        let inflater = GzipInflater()
        var taken = 0
        #expect(throws: Enough.self) {
            try packed.withUnsafeBytes { bytes in
                try inflater.inflate(bytes) { piece in
                    taken += piece.count
                    if taken > 1 << 20 { throw Enough() }
                }
            }
        }
        #expect(taken < 2 << 20)
    }
}

@Suite struct GzipDeflaterTests {
    @Test("what is deflated piece by piece inflates to the same", arguments: [0, 1, 1000, 1_000_000])
    func roundTrip(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        let deflater = GzipDeflater()
        var deflated: [UInt8] = []
        for start in stride(from: 0, to: count, by: 70_000) {
            try bytes[start..<min(start + 70_000, count)].withUnsafeBytes {
                try deflater.deflate($0) { deflated += $0 }
            }
        }
        try deflater.finish { deflated += $0 }
        let inflater = GzipInflater()
        var inflated: [UInt8] = []
        try deflated.withUnsafeBytes { try inflater.inflate($0) { inflated += $0 } }
        try inflater.finish()
        #expect(inflated == bytes)
    }
}
