import Glibc

/// A TCP socket that does not block; closed with its last reference.
final class Socket {
    let descriptor: Int32

    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    enum Reach: Equatable {
        case pending, reached
        case failed(errno: Int32)
    }

    /// How far a connection is that was started without blocking. connect(2), under EINPROGRESS.
    var reach: Reach {
        guard isReady(POLLOUT, within: .zero) else { return .pending }
        var failure: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 else { return .failed(errno: errno) }
        // A connection can be reset only after it was made; whoever goes on using it will see.
        return failure == 0 || failure == ECONNRESET ? .reached : .failed(errno: failure)
    }

    /// Waits until the socket takes bytes, has some, or is broken.
    func isReady(_ events: Int32, within duration: Duration) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let (seconds, attoseconds) = max(duration, .zero).components
        // Rounded up, so as not to come back early and spin.
        let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return poll(&entry, 1, Int32(clamping: milliseconds)) > 0
    }

    /// recv(2), again if a signal came in between. 0 at the end; less than 0 if it failed, with errno.
    static func receive(_ descriptor: Int32, _ memory: UnsafeMutableRawPointer, _ count: Int) -> Int {
        while true {
            let result = recv(descriptor, memory, count, 0)
            if result >= 0 || errno != EINTR { return result }
        }
    }

    /// send(2), likewise.
    static func send(_ descriptor: Int32, _ memory: UnsafeRawPointer, _ count: Int) -> Int {
        while true {
            let result = Glibc.send(descriptor, memory, count, Int32(MSG_NOSIGNAL))
            if result >= 0 || errno != EINTR { return result }
        }
    }

    /// Reads and throws away until the peer closes or breaks the connection.
    func discard(within duration: Duration) {
        let deadline = ContinuousClock.now + duration
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
            while isReady(POLLIN, within: deadline - .now) {
                let count = Self.receive(descriptor, buffer.baseAddress!, buffer.count)
                if count == 0 || (count < 0 && errno != EAGAIN) { return }
            }
        }
    }
}
