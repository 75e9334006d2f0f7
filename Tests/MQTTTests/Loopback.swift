import Glibc

/// A loopback address, of either family.
private func withAddress<R>(
    _ host: String, _ port: UInt16, _ body: (_ family: Int32, UnsafePointer<sockaddr>, socklen_t) -> R
) -> R {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    precondition(getaddrinfo(host, "\(port)", &hints, &found) == 0, "\(host) is no address")
    defer { freeaddrinfo(found) }
    return body(found!.pointee.ai_family, found!.pointee.ai_addr, found!.pointee.ai_addrlen)
}

/// A TCP socket that listens on a loopback address.
func listener(_ host: String = "127.0.0.1", _ port: UInt16 = 0, backlog: Int32 = 10) -> Int32 {
    withAddress(host, port) { family, address, size in
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        precondition(bind(descriptor, address, size) == 0, "bind: \(errno)")
        precondition(listen(descriptor, backlog) == 0, "listen: \(errno)")
        return descriptor
    }
}

func port(of descriptor: Int32) -> UInt16 {
    var address = sockaddr_in6()
    var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    withUnsafeMutableBytes(of: &address) {
        _ = getsockname(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &size)
    }
    // The port lies at the same place in sockaddr_in.
    return UInt16(bigEndian: address.sin6_port)
}

/// Below the kernel's range for outgoing connections, so that nobody is given it by chance.
func freePort() -> UInt16 {
    while true {
        let port = UInt16.random(in: 10_000..<32_000)
        if !accepts("127.0.0.1", port), !accepts("::1", port) { return port }
    }
}

func accepts(_ host: String, _ port: UInt16) -> Bool {
    let descriptor = connect(host, port)
    defer { close(descriptor) }
    return waitWritable(descriptor, milliseconds: 1000) && failure(of: descriptor) == 0
}

/// Starts to connect, without blocking.
private func connect(_ host: String, _ port: UInt16) -> Int32 {
    withAddress(host, port) { family, address, size in
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        _ = connect(descriptor, address, size)
        return descriptor
    }
}

private func waitWritable(_ descriptor: Int32, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&entry, 1, milliseconds) > 0
}

private func failure(of descriptor: Int32) -> Int32 {
    var failure: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
    return failure
}

/// An address that answers nothing: the kernel drops what comes to a listener whose queue is full.
final class BlackHole {
    let port: UInt16
    private let descriptor: Int32
    private var fillers: [Int32] = []

    init() {
        descriptor = listener(backlog: 0)
        port = MQTTTests.port(of: descriptor)
        repeat {
            fillers.append(connect("127.0.0.1", port))
        } while waitWritable(fillers.last!, milliseconds: 300)
    }

    deinit {
        for filler in fillers { close(filler) }
        close(descriptor)
    }
}
