import Glibc

/// What libmosquitto does not do with its own TCP socket. The descriptor stays libmosquitto's, which alone closes it.
struct Socket {
    let descriptor: Int32

    enum Reach: Equatable {
        case pending, reached
        case failed(errno: Int32)
    }

    /// How far a connection is that was started without blocking. connect(2), under EINPROGRESS.
    var reach: Reach {
        guard isWritable(within: .zero) else { return .pending }
        var failure: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 else { return .failed(errno: errno) }
        // A connection can be reset only after it was made; whoever goes on using it will see.
        return failure == 0 || failure == ECONNRESET ? .reached : .failed(errno: failure)
    }

    /// Waits until the socket takes bytes or is broken.
    func isWritable(within duration: Duration) -> Bool { isReady(POLLOUT, within: duration) }

    private func isReady(_ event: Int32, within duration: Duration) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        let (seconds, attoseconds) = max(duration, .zero).components
        // Rounded up, so as not to come back early and spin.
        let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return poll(&entry, 1, Int32(clamping: milliseconds)) > 0
    }

    /// A second descriptor for the same socket, the caller's to close: the connection ends when both are closed.
    func duplicate() -> Socket? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return copy < 0 ? nil : Socket(descriptor: copy)
    }

    /// Reads and throws away until the peer closes or breaks the connection.
    func discard(within duration: Duration) {
        let deadline = ContinuousClock.now + duration
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
            while isReady(POLLIN, within: deadline - .now) {
                let count = recv(descriptor, buffer.baseAddress!, buffer.count, Int32(MSG_DONTWAIT))
                if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { return }
            }
        }
    }

    var isIPv6: Bool {
        var address = sockaddr()
        var size = socklen_t(MemoryLayout<sockaddr>.size)
        return getsockname(descriptor, &address, &size) == 0 && Int32(address.sa_family) == AF_INET6
    }

    /// Keeps the socket from programs that this process may start: there it would stay open.
    func closeOnExec() {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
}
