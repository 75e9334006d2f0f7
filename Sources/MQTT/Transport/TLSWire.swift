internal import COpenSSL
import Glibc

/// What OpenSSL reads and writes, in the place of its own socket BIO: that one raises SIGPIPE, and asks the socket once
/// more when it was drained already.
struct TLSWire {
    private let descriptor: Int32
    /// The peer has closed.
    private(set) var isAtEnd = false
    /// The error of a system call.
    private(set) var failure: Int32 = 0
    /// The last call got all that there was.
    private var isDrained = false

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// To be called before OpenSSL is.
    mutating func begin(keepingDrained: Bool) {
        if !keepingDrained { isDrained = false }
        failure = 0
    }

    /// Its owner sets a `TLSWire` as its data. Nil if memory ran out.
    static func makeBIO() -> OpaquePointer? { method.value.flatMap { BIO_new($0) } }

    private mutating func receive(_ memory: UnsafeMutablePointer<CChar>, _ size: Int32) -> Int32? {
        if isDrained { return nil }
        let count = Socket.receive(descriptor, memory, Int(size))
        isDrained = count < Int(size)
        if count < 0, errno == EAGAIN { return nil }
        if count < 0 { failure = errno }
        if count == 0 { isAtEnd = true }
        return Int32(count)
    }

    private mutating func send(_ memory: UnsafePointer<CChar>, _ size: Int32) -> Int32? {
        let count = Socket.send(descriptor, memory, Int(size))
        if count < 0, errno == EAGAIN { return nil }
        if count < 0 { failure = errno }
        return Int32(count)
    }

    private static func of(_ bio: OpaquePointer?) -> UnsafeMutablePointer<TLSWire>? {
        BIO_get_data(bio)?.assumingMemoryBound(to: TLSWire.self)
    }

    /// All that can be said about a call that has to be made again.
    private static let retryFlags = BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY

    // OpenSSL only reads it, from any thread.
    private struct Method: @unchecked Sendable {
        var value: OpaquePointer?
    }

    /// Made once for the process, and never freed.
    private static let method: Method = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "windrow socket")
        BIO_meth_set_create(method) { bio in
            BIO_set_init(bio, 1)
            return 1
        }
        BIO_meth_set_read(method) { bio, memory, size in
            BIO_clear_flags(bio, retryFlags)
            guard let memory, let wire = TLSWire.of(bio) else { return -1 }
            if let count = wire.pointee.receive(memory, size) { return count }
            BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return -1
        }
        BIO_meth_set_write(method) { bio, memory, size in
            BIO_clear_flags(bio, retryFlags)
            guard let memory, let wire = TLSWire.of(bio) else { return -1 }
            if let count = wire.pointee.send(memory, size) { return count }
            BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
            return -1
        }
        BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            case BIO_CTRL_FLUSH: 1
            case BIO_CTRL_EOF: TLSWire.of(bio)?.pointee.isAtEnd == true ? 1 : 0
            default: 0
            }
        }
        return Method(value: method)
    }()
}
