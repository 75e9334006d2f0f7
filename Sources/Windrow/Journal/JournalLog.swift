import Foundation

// SQLite's write-ahead log, where the newest transactions of the journal are until a checkpoint (https://sqlite.org/fileformat2.html,
// section 4). Each frame is a page with a checksum that continues that of the frame before it.
//
//   header   magic (its last bit: checksums are of big-endian words) · version · page size · checkpoint · 2 salts · 2 checksums
//   frame    page number · size of the database after a commit, else 0 · 2 salts · 2 checksums · the page
//
// At a frame whose checksum is wrong SQLite takes the log to end, without a word: that is how the transaction looks which was being
// written when the power failed. But the log is synced after each transaction. So when the log goes on behind the bad frame with
// another transaction, the frame was whole once, and what it and all behind it held was acknowledged: the log is damaged, and its
// checksums are made right again, so that SQLite reads it to its end. Whatever bytes were changed in it, the journal's own checks
// find: the structure of the file, and the checksum of each batch.

/// The journal's write-ahead log, as far as it must be looked at before SQLite opens it.
struct JournalLog {
    private static let headerSize = 32
    private static let frameHeaderSize = 24
    private static let magic: UInt32 = 0x377F_0682
    private static let version: UInt32 = 3_007_000

    private var bytes: Data
    private let pageSize = JournalFile.pageSize

    /// nil when there is no log with a frame in it.
    init?(file: String) throws {
        guard access(file, F_OK) == 0 else { return nil }
        bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        // Of pages of another size it is no log that Windrow wrote.
        if frameCount == 0 || hasSoundHeader && word(8) != UInt32(pageSize) { return nil }
    }

    /// Throws if the log of a journal is damaged, which no daemon has open: to open the file would cut the log off where SQLite stops to
    /// understand it.
    static func checkBesideNone(_ journal: String) throws {
        if try JournalLog(file: journal + "-wal")?.mended != nil {
            throw JournalError(
                kind: .failed, operation: "open it", code: nil, message: "its write-ahead log is damaged",
                hint: "start windrow: it mends the log")
        }
    }

    /// The log as it was before it was damaged, but for the bytes that were changed; nil when it is sound.
    var mended: Data? {
        let salts = salts
        // Frames of an earlier round may follow: they have other salts, and are in the file already.
        guard let last = (0..<frameCount).last(where: { self.salts(of: $0) == salts && isCommit($0) }) else {
            return nil
        }
        let sound = soundFrames(salts)
        guard sound <= last else { return nil }
        // The last transaction of all may have been cut off by a crash; an earlier one was synced.
        // Without a header nothing tells that this is a log at all, but frames that fit together.
        guard hasSoundHeader || fits(frame: 1) || fits(frame: 2) else { return nil }
        let goesOn = (sound..<last).contains { self.salts(of: $0) == salts && isCommit($0) }
        return goesOn || !hasSoundHeader ? rewritten(through: last, salts) : nil
    }

    // MARK: Reading

    private var frameCount: Int { max(bytes.count - Self.headerSize, 0) / frameSize }
    private var frameSize: Int { Self.frameHeaderSize + pageSize }
    private func start(of frame: Int) -> Int { Self.headerSize + frame * frameSize }

    private func word(_ offset: Int) -> UInt32 {
        bytes.withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }

    private func salts(of frame: Int) -> UInt64 {
        UInt64(word(start(of: frame) + 8)) << 32 | UInt64(word(start(of: frame) + 12))
    }

    private func isCommit(_ frame: Int) -> Bool { word(start(of: frame) + 4) != 0 }

    private var hasSoundHeader: Bool {
        let sum = Checksum(isBigEndian: word(0) & 1 == 1).adding(bytes, 0..<24)
        return word(0) & ~1 == Self.magic && word(4) == Self.version && sum.first == word(24) && sum.second == word(28)
    }

    /// Those of the header; where that is damaged, those that most of the first frames have.
    private var salts: UInt64 {
        if hasSoundHeader { return UInt64(word(16)) << 32 | UInt64(word(20)) }
        let first = (0..<min(frameCount, 3)).map(salts(of:))
        return first.max { a, b in first.count { $0 == a } < first.count { $0 == b } } ?? 0
    }

    /// How many frames from the first one on SQLite would take.
    private func soundFrames(_ salts: UInt64) -> Int {
        guard hasSoundHeader else { return 0 }
        var sum = Checksum(isBigEndian: word(0) & 1 == 1, first: word(24), second: word(28))
        for frame in 0..<frameCount {
            let start = start(of: frame)
            sum = sum.adding(bytes, start..<start + 8)
                .adding(bytes, start + Self.frameHeaderSize..<start + frameSize)
            guard self.salts(of: frame) == salts, sum.first == word(start + 16), sum.second == word(start + 20) else {
                return frame
            }
        }
        return frameCount
    }

    /// Whether the frame's checksum continues the one that stands in the frame before it.
    private func fits(frame: Int) -> Bool {
        guard frame < frameCount else { return false }
        let (before, start) = (start(of: frame - 1), start(of: frame))
        return [true, false].contains { isBigEndian in
            let sum = Checksum(isBigEndian: isBigEndian, first: word(before + 16), second: word(before + 20))
                .adding(bytes, start..<start + 8).adding(bytes, start + Self.frameHeaderSize..<start + frameSize)
            return sum.first == word(start + 16) && sum.second == word(start + 20)
        }
    }

    // MARK: Mending

    private func rewritten(through last: Int, _ salts: UInt64) -> Data {
        var mended = bytes.prefix(start(of: last + 1))
        func put(_ value: UInt32, at offset: Int) {
            mended.withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self) }
        }
        func putSalts(at offset: Int) {
            put(UInt32(salts >> 32), at: offset)
            put(UInt32(truncatingIfNeeded: salts), at: offset + 4)
        }
        for (place, value) in [Self.magic | 1, Self.version, UInt32(pageSize)].enumerated() {
            put(value, at: place * 4)
        }
        putSalts(at: 16)
        var sum = Checksum(isBigEndian: true).adding(mended, 0..<24)
        put(sum.first, at: 24)
        put(sum.second, at: 28)
        for frame in 0...last {
            let start = start(of: frame)
            // SQLite ends the log at a page 0. Which page it was nobody knows; one beyond the file's end is ignored.
            if word(start) == 0 { put(.max, at: start) }
            putSalts(at: start + 8)
            sum = sum.adding(mended, start..<start + 8)
                .adding(mended, start + Self.frameHeaderSize..<start + frameSize)
            put(sum.first, at: start + 16)
            put(sum.second, at: start + 20)
        }
        return mended
    }

    /// SQLite's checksum over pairs of 32-bit words.
    private struct Checksum {
        var isBigEndian: Bool
        var first: UInt32 = 0
        var second: UInt32 = 0

        func adding(_ bytes: Data, _ range: Range<Int>) -> Checksum {
            var sum = self
            bytes.withUnsafeBytes { memory in
                for offset in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
                    let one = memory.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                    let two = memory.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                    sum.first &+= (isBigEndian ? one.bigEndian : one.littleEndian) &+ sum.second
                    sum.second &+= (isBigEndian ? two.bigEndian : two.littleEndian) &+ sum.first
                }
            }
            return sum
        }
    }
}
