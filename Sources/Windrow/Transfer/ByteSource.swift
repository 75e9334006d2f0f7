import Glibc
import Zlib

/// The bytes of a file or of standard input, in order; what is gzip is inflated, whatever its name is.
final class ByteSource {
    /// As messages name it.
    let name: String
    /// Of a regular file; nil for a pipe, which can be read once only.
    let size: Int?
    let isGzip: Bool
    /// Bytes of the file that were read, before they were inflated.
    private(set) var consumed = 0

    private let descriptor: Int32
    private let inflater: GzipInflater?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    /// The beginning, which was read to see what it is.
    private var filled: Int
    private var isAtEnd = false

    /// A piece of a gzip file may become a thousand times as long.
    private static let gzipPiece = 16 << 10

    /// - Parameter path: `-` is standard input.
    init(_ path: String) throws(TransferError) {
        name = path == "-" ? "standard input" : path
        descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            throw TransferError(.noInput, "cannot open \(name): \(String(cString: strerror(errno)))")
        }
        let kind = status.st_mode & S_IFMT
        guard kind != S_IFDIR else {
            close(descriptor)
            throw TransferError(.noInput, "cannot read \(name): it is a folder")
        }
        size = path != "-" && kind == S_IFREG ? Int(status.st_size) : nil
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
        filled = 0
        var failure: Int32 = 0
        // A pipe may give its bytes one by one.
        while filled < 2 {
            let count = Glibc.read(descriptor, buffer.baseAddress! + filled, Self.gzipPiece - filled)
            if count < 0, errno == EINTR { continue }
            if count < 0 { failure = errno }
            if count <= 0 { break }
            filled += count
        }
        isGzip = filled >= 2 && buffer[0] == 0x1F && buffer[1] == 0x8B
        inflater = isGzip ? GzipInflater() : nil
        if failure != 0 { throw Self.failure(name, failure) }
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// The part that was read, of 1; 0 for a pipe.
    var share: Double {
        guard let size, size > 0 else { return 0 }
        return min(Double(consumed) / Double(size), 1)
    }

    /// Gives the next bytes. False at the end.
    func read(_ take: (UnsafeRawBufferPointer) -> Void) throws(TransferError) -> Bool {
        if isAtEnd { return false }
        while filled == 0 {
            // What is appended to a file while it is read belongs to the next import.
            let rest = size.map { $0 - consumed } ?? .max
            let wanted = min(isGzip ? Self.gzipPiece : buffer.count, rest)
            let count = wanted <= 0 ? 0 : Glibc.read(descriptor, buffer.baseAddress, wanted)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(name, errno) }
            if count == 0 { return try end() }
            filled = count
        }
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<filled])
        consumed += filled
        filled = 0
        guard let inflater else {
            take(bytes)
            return true
        }
        do {
            try inflater.inflate(bytes) { take($0) }
        } catch {
            throw TransferError(.badData, "\(name): \(error)")
        }
        return true
    }

    private func end() throws(TransferError) -> Bool {
        isAtEnd = true
        guard let inflater else { return false }
        do throws(GzipError) {
            try inflater.finish()
        } catch {
            throw TransferError(.badData, "\(name): \(error)")
        }
        return false
    }

    private static func failure(_ name: String, _ code: Int32) -> TransferError {
        TransferError(.file, "cannot read \(name): \(String(cString: strerror(code)))")
    }
}
