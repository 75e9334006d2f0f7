@testable import Windrow

/// The input is a batch from the journal, first as it is and then under the mark and checksum that it should have: past them lies what
/// damage alone would hardly reach.
enum JournalTarget {
    static func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        let isAccepted = try decode(input)
        var sealed = Array(input)
        guard sealed.count >= 8 else { return isAccepted }
        sealed.replaceSubrange(0..<4, with: "WRB1".utf8)
        let checksum = sealed.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[8...])) }
        withUnsafeBytes(of: checksum.littleEndian) { sealed.replaceSubrange(4..<8, with: $0) }
        let result = sealed.withUnsafeBytes { bytes in Result { () throws(Violation) in try decode(bytes) } }
        return try result.get() || isAccepted
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        let batch: RecordBatch
        do {
            batch = try RecordBatch(encoded: bytes)
        } catch {
            try check(!error.description.isEmpty, "an error says nothing")
            return false
        }
        try check(batch.encoded().elementsEqual(bytes), "a batch is encoded in other bytes than it was read from")
        try batch.checkJournalAndFold()
        return true
    }
}
