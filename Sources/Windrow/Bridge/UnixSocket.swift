import Glibc

/// The path of a Unix socket, which outlives whoever listened on it.
enum UnixSocket {
    /// Whether the path is somebody's: a socket that a killed daemon has left may be taken over, another's may not.
    static func isServed(_ path: String) -> Bool {
        let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard client >= 0 else { return false }
        defer { close(client) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // Nobody there, or nothing; whatever else the system says, somebody is.
        return connected == 0 || errno != ECONNREFUSED && errno != ENOENT
    }
}
