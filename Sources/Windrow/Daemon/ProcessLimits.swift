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
    static func raiseDescriptors(toServe connections: Int, _ log: Logger) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // Journals, brokers, databases and logs take a few.
        if limit.rlim_max < connections + 256 {
            log.warning(
                "fewer file descriptors than http.max_connections may need; raise LimitNOFILE or lower the key",
                metadata: ["limit": "\(limit.rlim_max)", "max_connections": "\(connections)"])
        }
    }
}
