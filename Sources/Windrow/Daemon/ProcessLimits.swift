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

    /// Takes as many file descriptors as the hard limit allows: the soft one is small for the sake of programs that use select(2).
    /// - Returns: how many of the wanted connections they suffice for. One more would end the server that accepts them.
    static func connections(upTo wanted: Int, _ log: Logger) -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return wanted }
        let soft = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        let descriptors = setrlimit(resource, &limit) == 0 ? limit.rlim_max : soft
        // Journals, brokers, databases and logs take a few.
        let others: rlim_t = 256
        let most = descriptors > others ? Int(clamping: descriptors - others) : 1
        if most < wanted {
            log.warning(
                "the limit on file descriptors allows fewer connections than http.max_connections; raise LimitNOFILE",
                metadata: ["connections": "\(most)", "max_connections": "\(wanted)"])
        }
        return min(wanted, most)
    }
}
