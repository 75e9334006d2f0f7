import Glibc

/// Bytes to and from a host that was reached, through TLS or without.
final class Channel {
    let socket: Socket
    private let tls: TLSSession?

    init(_ socket: Socket, _ tls: TLSSession?) {
        self.socket = socket
        self.tls = tls
    }

    /// What `receive` got.
    struct Received {
        var count: Int
        /// Nil if there may be more.
        var rest: Rest?
    }

    enum Rest {
        /// There was nothing more.
        case nothing
        /// There will be nothing more. It is told once.
        case ended(Ending)
    }

    /// Whether TLS waits for the socket to become writable.
    var wantsWrite: Bool { tls?.wantsWrite ?? false }
    /// Whether what is sent next has to begin with what was not taken the last time.
    var isWithinRecord: Bool { tls?.isWithinRecord ?? false }

    /// Takes the TLS handshake as far as it goes now. True when it is done.
    func shakeHands() throws(Ending) -> Bool { try tls?.shakeHands() ?? true }

    /// Receives what there is; with one system call, unless it fills the memory.
    func receive(into memory: UnsafeMutableRawBufferPointer) -> Received {
        if let tls { return tls.receive(into: memory) }
        let count = Socket.receive(socket.descriptor, memory.baseAddress!, memory.count)
        if count == memory.count { return Received(count: count) }
        if count > 0 { return Received(count: count, rest: .nothing) }
        if count == 0 { return Received(count: 0, rest: .ended(.closed)) }
        return Received(count: 0, rest: errno == EAGAIN ? .nothing : .ended(.system([errno])))
    }

    /// How many bytes were taken; 0 if none can be now.
    func send(_ bytes: UnsafeRawBufferPointer) throws(Ending) -> Int {
        if let tls { return try tls.send(bytes) }
        let count = Socket.send(socket.descriptor, bytes.baseAddress!, bytes.count)
        guard count < 0 else { return count }
        guard errno == EAGAIN else { throw .system([errno]) }
        return 0
    }

    /// Tells TLS at the other end that nothing more is sent.
    func close() { tls?.close() }
}
