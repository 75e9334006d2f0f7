internal import CZlib

/// Data that are not gzip, or that end too early.
public struct GzipError: Error, Sendable, CustomStringConvertible {
    /// zlib's code, such as Z_DATA_ERROR (-3); nil when the data end too early.
    public var code: Int32?
    public var message: String

    public var description: String { "no whole gzip data: \(message)" }
}

/// Inflates a gzip stream (RFC 1952, several members too) piece by piece, as it comes.
///
/// It keeps zlib's window (32 KiB) and one piece of output; how much comes out is the caller's to bound. Not Sendable: one stream, one
/// thread at a time.
public final class GzipInflater {
    /// zlib keeps a pointer to it: it must not move. Initialised by `init`, freed by `deinit`.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let output = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 << 10)
    /// The last member has ended, and no further one has begun.
    private var isAtEnd = false

    public init() {
        stream.initialize(to: z_stream())
        // 15 for the largest window, and 16 for gzip alone (zlib.h, inflateInit2).
        let code = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "memory is out, or zlib is not the one it was built with")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    /// Inflates the next piece, and gives what comes out, in pieces that are valid during the call.
    /// - Throws: `GzipError`, after which the stream is of no further use, or what `take` throws.
    public func inflate(_ input: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let start = input.baseAddress, !input.isEmpty else { return }
        // zlib only reads from it; z_const is not set in its header.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(input.count)
        var isOutputFull = false
        while stream.pointee.avail_in > 0 || isOutputFull {
            if isAtEnd {
                inflateReset(stream)
                isAtEnd = false
            }
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            let code = CZlib.inflate(stream, Z_NO_FLUSH)
            let count = output.count - Int(stream.pointee.avail_out)
            if count > 0 { try take(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<count])) }
            isOutputFull = stream.pointee.avail_out == 0
            switch code {
            case Z_OK: break
            case Z_STREAM_END:
                isAtEnd = true
                isOutputFull = false
            // All input is used and nothing was held back.
            case Z_BUF_ERROR: return
            default:
                throw GzipError(
                    code: code, message: stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(code)")
            }
        }
    }

    /// Throws unless the stream has come to its end.
    public func finish() throws(GzipError) {
        if !isAtEnd { throw GzipError(code: nil, message: "the data end too early") }
    }
}
