import NIOCore

/// The body of a request, whole. It has one owner, so that it is never copied, and counts against the domain's bound for bodies.
struct RequestBytes: ~Copyable, Sendable {
    var buffer = ByteBuffer()
    let lease: MemoryLease

    var count: Int { buffer.readableBytes }

    /// Decodes the body in its own memory.
    consuming func decode(
        by decoder: RequestDecoder, _ overwrite: Overwrite, _ guards: Guards
    ) -> Result<DecodedRequest, Rejection> {
        buffer.writeRepeatingByte(0, count: JSONTokens.padding)
        return buffer.withUnsafeMutableReadableBytes { bytes in
            Result { () throws(Rejection) in
                try decoder.decode(bytes, overwrite: overwrite, guards: guards, at: .now)
            }
        }
    }
}
