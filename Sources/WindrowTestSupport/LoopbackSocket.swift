import Glibc

/// A blocking TCP connection to a port of this machine, for clients that say exactly what a test wants said.
public final class LoopbackSocket {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// How much of the buffer has been given away.
    private var given = 0

    /// - Parameter timeout: after which a read that gets nothing fails.
    public init(port: UInt16, timeout: Duration = .seconds(60)) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FixtureError("no socket: \(String(cString: strerror(errno)))") }
        var noDelay: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
        var limit = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw FixtureError("cannot connect to port \(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(descriptor)
    }

    public func send(_ bytes: some Collection<UInt8>) throws {
        let sent =
            bytes.withContiguousStorageIfAvailable { sendAll(UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { sendAll($0) }
        guard sent else { throw FixtureError("the other side closed the connection") }
    }

    /// Says that nothing more will come, and goes on reading.
    public func closeWrite() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Whether there is something to receive, be it the connection's end; waits for it so long.
    public func hasInput(within wait: Duration) -> Bool {
        if given < buffer.count { return true }
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, Int32(clamping: max(0, Int(wait / .milliseconds(1))))) > 0
    }

    /// Exactly so many bytes.
    public func receive(_ count: Int) throws -> [UInt8] {
        while buffer.count - given < count {
            guard try receiveMore() else { throw FixtureError("the other side closed the connection") }
        }
        return Array(give(count))
    }

    /// What comes up to and with `end`; nil when the connection is closed before anything comes.
    public func receive(through end: String) throws -> String? {
        let end = Array(end.utf8)
        var searched = 0
        while true {
            while given + searched + end.count <= buffer.count {
                if buffer[(given + searched)...].starts(with: end) {
                    return String(decoding: give(searched + end.count), as: UTF8.self)
                }
                searched += 1
            }
            guard try receiveMore() else {
                if given == buffer.count { return nil }
                throw FixtureError("the other side closed the connection in the middle of something")
            }
        }
    }

    /// All that comes until the other side closes.
    public func receiveAll() throws -> [UInt8] {
        while try receiveMore() {}
        return Array(give(buffer.count - given))
    }

    private func give(_ count: Int) -> ArraySlice<UInt8> {
        defer { given += count }
        return buffer[given..<given + count]
    }

    /// False when the other side has closed.
    private func receiveMore() throws -> Bool {
        if given > 1 << 20 || given == buffer.count {
            buffer.removeFirst(given)
            given = 0
        }
        let count = withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { piece in
            let count = recv(descriptor, piece.baseAddress, piece.count, 0)
            if count > 0 { buffer += UnsafeRawBufferPointer(piece)[..<count] }
            return count
        }
        if count < 0, errno == EAGAIN { throw FixtureError("nothing came in time") }
        // A reset is an end too.
        return count > 0
    }

    private func sendAll(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
