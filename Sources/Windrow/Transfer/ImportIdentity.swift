import Crypto
import Foundation

/// What an import is known by, so that the same command goes on where it was interrupted: the file's size, its time of change, its
/// first and last MiB, and what the operator says about it. Not its name: a file that was moved is the same.
struct ImportIdentity: Equatable {
    /// Names the import in the table `progress`, where journals have theirs.
    let uuid: NodeUUID

    private static let sample = 1 << 20

    /// nil for what can be read only once.
    init?(of path: String, _ format: ImportOptions.Format, _ options: ImportOptions, schema: String)
        throws(TransferError)
    {
        guard path != "-" else { return nil }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            throw TransferError(.noInput, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        let size = Int(status.st_size)
        var hash = SHA256()
        let time = "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        hash.update(data: Data("windrow import 1\0\(schema)\0\(size)\0\(time)\0\(options.meaning(as: format))\0".utf8))
        var piece = [UInt8](repeating: 0, count: Self.sample)
        for start in [0, max(size - Self.sample, 0)] {
            let count = pread(descriptor, &piece, piece.count, off_t(start))
            guard count >= 0 else {
                throw TransferError(.file, "cannot read \(path): \(String(cString: strerror(errno)))")
            }
            hash.update(data: piece[..<count])
        }
        uuid = hash.finalize().withUnsafeBytes { digest in
            // A name-based UUID of no standard kind: version 8 (RFC 9562, section 5.8).
            NodeUUID(
                high: UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self)) & ~0xF000 | 0x8000,
                low: UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) & ~(3 << 62) | 2 << 62)
        }
    }

    /// Of an input that cannot be read again: nobody will ask for it.
    static func random() -> NodeUUID {
        NodeUUID(high: .random(in: 0...UInt64.max), low: .random(in: 0...UInt64.max))
    }
}
