import Glibc

/// Where a host listens: an IPv4 or IPv6 address with its port.
struct Address {
    private var storage: sockaddr_storage
    private let size: socklen_t
    private let family: Int32

    /// All that the host has, in the order of RFC 6724. Blocks.
    static func lookUp(_ host: String, port: UInt16) throws(Ending) -> [Address] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &list)
        guard code == 0 else { throw code == EAI_SYSTEM ? .system([errno]) : .nameLookup(code) }
        defer { freeaddrinfo(list) }
        let infos = sequence(first: list) { $0?.pointee.ai_next }.prefix { $0 != nil }
        let addresses = infos.compactMap { $0.flatMap(Address.init) }
        guard !addresses.isEmpty else { throw .nameLookup(EAI_NONAME) }
        return addresses
    }

    private init?(_ info: UnsafeMutablePointer<addrinfo>) {
        let size = Int(info.pointee.ai_addrlen)
        guard let address = info.pointee.ai_addr, size <= MemoryLayout<sockaddr_storage>.size else { return nil }
        storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size))
        }
        self.size = info.pointee.ai_addrlen
        family = info.pointee.ai_family
    }

    /// A socket that has begun to connect there. `Socket.reach` tells how far it is.
    func connect() throws(Ending) -> Socket {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, kind, Int32(IPPROTO_TCP))
        guard descriptor >= 0 else { throw .system([errno]) }
        let socket = Socket(owning: descriptor)
        // Acknowledgements are gathered by us, and should not wait for the broker's TCP to answer the last ones.
        var on: Int32 = 1
        _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let result = withUnsafePointer(to: storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, size) }
        }
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw .system([errno]) }
        return socket
    }
}
