import Glibc
import Zlib

/// Whoever reads the output has gone away, as `head` does. No failure.
public struct OutputClosed: Error {}

/// Where an export goes: standard output, or a file that appears under its name only when it is complete.
final class OutputFile {
    private let path: String?
    private let temporary: String?
    private let descriptor: Int32
    private let deflater: GzipDeflater?
    private var buffer: [UInt8] = []
    private var isFinished = false
    /// Whether anything has left.
    private(set) var hasWritten = false

    private static let pieceSize = 256 << 10

    /// - Parameter path: nil for standard output; deflated if it ends with `.gz`.
    init(_ path: String?, replaces: Bool) throws(TransferError) {
        self.path = path
        deflater = path?.hasSuffix(".gz") == true ? GzipDeflater() : nil
        buffer.reserveCapacity(Self.pieceSize + 4096)
        guard let path else {
            temporary = nil
            descriptor = STDOUT_FILENO
            return
        }
        var status = stat()
        guard replaces || stat(path, &status) != 0 else {
            throw TransferError(.usage, "\(path) is there already; name another file, or replace it with --force")
        }
        let temporary = "\(path).\(getpid()).part"
        self.temporary = temporary
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw TransferError(.file, "cannot write \(temporary): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        guard let temporary else { return }
        close(descriptor)
        if !isFinished { unlink(temporary) }
    }

    /// Appends to the output; `body` adds what is to be written.
    func write(_ body: (inout [UInt8]) throws -> Void) throws {
        try body(&buffer)
        if buffer.count >= Self.pieceSize { try flush() }
    }

    /// Makes the file appear, synced.
    func finish() throws {
        try flush()
        try deflater?.finish { try put($0) }
        guard let path, let temporary else { return }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw TransferError(.file, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        isFinished = true
    }

    private func flush() throws {
        try buffer.withUnsafeBytes { bytes in
            if let deflater { try deflater.deflate(bytes) { try put($0) } } else { try put(bytes) }
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: UnsafeRawBufferPointer) throws {
        if !bytes.isEmpty { hasWritten = true }
        var written = 0
        while written < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            if count >= 0 {
                written += count
            } else if errno == EPIPE {
                throw OutputClosed()
            } else if errno != EINTR {
                let name = path ?? "standard output"
                throw TransferError(.file, "cannot write \(name): \(String(cString: strerror(errno)))")
            }
        }
    }
}
