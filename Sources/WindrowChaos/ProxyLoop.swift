import Glibc

/// The thread of a `Proxy`: poll(2) over the listener and all connections.
final class ProxyLoop {
    /// One direction of a connection: what was read and not written yet, each piece with the time at which it is due.
    private struct Flow {
        var pieces: [(due: ContinuousClock.Instant, bytes: ArraySlice<UInt8>)] = []
        var size = 0
        var hasEnded = false
        static let limit = 1 << 20

        var takesMore: Bool { !hasEnded && size < Self.limit }
    }

    private struct Pair {
        /// The daemon's side and the server's; the second is -1 for one that was opened in a stall.
        var sockets: [Int32]
        /// From the first to the second, and back.
        var flows = [Flow(), Flow()]
        var isStalled = false
        var isBroken = false
    }

    private let port: UInt16
    private let target: UInt16
    private var listener: Int32 = -1
    private var pairs: [Pair] = []
    private var mode = Proxy.Mode.pass

    init(port: UInt16, target: UInt16) {
        self.port = port
        self.target = target
    }

    func run(_ orders: () -> (mode: Proxy.Mode, isClosing: Bool)) {
        while true {
            let (mode, isClosing) = orders()
            if mode != self.mode || isClosing { breakOff(isClosing ? .cut : mode) }
            if isClosing { return }
            if mode != .cut, listener < 0 { listen() }
            turn()
        }
    }

    /// Ends the connections that a change of mode ends.
    private func breakOff(_ next: Proxy.Mode) {
        mode = next
        for place in pairs.indices where next == .cut || pairs[place].isStalled { pairs[place].isBroken = true }
        if next == .stall { for place in pairs.indices { pairs[place].isStalled = true } }
        sweep()
        if next == .cut, listener >= 0 {
            close(listener)
            listener = -1
        }
    }

    private func sweep() {
        for pair in pairs where pair.isBroken {
            for socket in pair.sockets where socket >= 0 {
                // A process started meanwhile may have inherited it; this ends the connection all the same.
                shutdown(socket, Int32(SHUT_RDWR))
                close(socket)
            }
        }
        pairs.removeAll { $0.isBroken }
    }

    private func turn() {
        var polled = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
        // Short: nobody wakes it when the mode changes.
        var timeout = Duration.milliseconds(10)
        let now = ContinuousClock.now
        for pair in pairs {
            for side in 0...1 {
                var events: Int16 = 0
                if pair.flows[side].takesMore { events |= Int16(POLLIN) }
                if let due = pair.flows[1 - side].pieces.first?.due {
                    if due <= now { events |= Int16(POLLOUT) } else { timeout = min(timeout, due - now) }
                }
                // Without events a descriptor would still report its end, again and again.
                polled.append(pollfd(fd: events == 0 ? -1 : pair.sockets[side], events: events, revents: 0))
            }
        }
        poll(&polled, nfds_t(polled.count), Int32(timeout / .milliseconds(1)) + 1)
        for place in pairs.indices {
            for side in 0...1 where polled[1 + place * 2 + side].revents != 0 { take(place, side) }
            for side in 0...1 { give(place, side) }
        }
        sweep()
        if polled[0].revents != 0 { accept() }
    }

    private func take(_ place: Int, _ side: Int) {
        guard pairs[place].flows[side].takesMore else { return }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(pairs[place].sockets[side], &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else {
            // A stalled network tells nobody that the other side has gone.
            pairs[place].flows[side].hasEnded = true
            return
        }
        if pairs[place].isStalled { return }
        var due = ContinuousClock.now
        if case .delay(let milliseconds) = mode { due += .milliseconds(milliseconds) }
        pairs[place].flows[side].pieces.append((due, buffer[..<count]))
        pairs[place].flows[side].size += count
    }

    /// Writes what is due from the one side to the other.
    private func give(_ place: Int, _ side: Int) {
        if pairs[place].isStalled { return }
        while let piece = pairs[place].flows[side].pieces.first, piece.due <= .now {
            let count = piece.bytes.withUnsafeBytes {
                send(
                    pairs[place].sockets[1 - side], $0.baseAddress, $0.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else {
                pairs[place].isBroken = true
                return
            }
            pairs[place].flows[side].size -= count
            if count == piece.bytes.count {
                pairs[place].flows[side].pieces.removeFirst()
            } else {
                pairs[place].flows[side].pieces[0].bytes = piece.bytes.dropFirst(count)
            }
        }
        if pairs[place].flows[side].hasEnded, pairs[place].flows[side].pieces.isEmpty { pairs[place].isBroken = true }
    }

    private func accept() {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return }
        if mode == .stall {
            pairs.append(Pair(sockets: [client, -1], isStalled: true))
            return
        }
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        // To this machine: it succeeds or fails at once.
        guard server >= 0, Self.withAddress(target, { connect(server, $0, $1) }) == 0 else {
            close(client)
            if server >= 0 { close(server) }
            return
        }
        var noDelay: Int32 = 1
        for socket in [client, server] {
            setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
        }
        pairs.append(Pair(sockets: [client, server]))
    }

    private func listen() {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var reuse: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        guard Self.withAddress(port, { bind(socket, $0, $1) }) == 0, Glibc.listen(socket, 64) == 0 else {
            close(socket)
            return
        }
        listener = socket
    }

    private static func withAddress<R>(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
