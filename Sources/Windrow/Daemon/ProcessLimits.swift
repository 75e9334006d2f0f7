import CMalloc
import Glibc
import Logging

/// What the system lets this process have.
enum ProcessLimits {
    /// Has large blocks of memory given back to the system when they are freed. By itself glibc keeps what a large request has
    /// needed, up to 32 MiB a block, for the next one (mallopt(3), M_MMAP_THRESHOLD).
    static func giveBackLargeMemory() {
        mallopt(M_MMAP_THRESHOLD, 4 << 20)
        mallopt(M_TRIM_THRESHOLD, 64 << 20)
    }

    /// File descriptors of the servers and the log, and of a domain: its journal, brokers, databases and wakers.
    private static let ownDescriptors = 64
    private static let domainDescriptors = 24

    /// Takes as many file descriptors as the hard limit allows: the soft one is small for the sake of programs that use select(2).
    /// - Returns: how many there are.
    @discardableResult
    static func takeDescriptors() -> Int? {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return nil }
        let soft = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        return Int(clamping: setrlimit(resource, &limit) == 0 ? limit.rlim_max : soft)
    }

    /// - Returns: how many of the wanted connections the file descriptors suffice for. One more would end the server that accepts them.
    static func connections(upTo wanted: Int, besides domains: Int, _ log: Logger) -> Int {
        guard let descriptors = takeDescriptors() else { return wanted }
        let most = max(descriptors - ownDescriptors - domains * domainDescriptors, 1)
        if most < wanted {
            log.warning(
                "the limit on file descriptors allows fewer connections than http.max_connections; raise LimitNOFILE",
                metadata: ["connections": "\(most)", "max_connections": "\(wanted)"])
        }
        return min(wanted, most)
    }
}
