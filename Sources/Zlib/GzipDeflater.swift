internal import CZlib

/// Deflates into a gzip stream (RFC 1952) piece by piece. Not Sendable: one stream, one thread at a time.
public final class GzipDeflater {
    /// zlib keeps a pointer to it: it must not move. Initialised by `init`, freed by `deinit`.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let output = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 << 10)

    public init() {
        stream.initialize(to: z_stream())
        // 15 for the largest window, and 16 for gzip's header and trailer (zlib.h, deflateInit2).
        let code = deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "memory is out, or zlib is not the one it was built with")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    /// Deflates the next piece, at most 4 GiB, and gives what comes out, in pieces that are valid during the call.
    public func deflate(_ input: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let start = input.baseAddress, !input.isEmpty else { return }
        // zlib only reads from it; z_const is not set in its header.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(input.count)
        try run(Z_NO_FLUSH, take)
    }

    /// Ends the stream, and gives what is left of it.
    public func finish(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        stream.pointee.avail_in = 0
        try run(Z_FINISH, take)
    }

    private func run(_ flush: Int32, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        repeat {
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            // Z_BUF_ERROR says that there was nothing to do.
            let code = CZlib.deflate(stream, flush)
            precondition(code != Z_STREAM_ERROR, "the stream is sound")
            let count = output.count - Int(stream.pointee.avail_out)
            if count > 0 { try take(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<count])) }
        } while stream.pointee.avail_out == 0
    }
}
