import Glibc
import ServiceLifecycle

/// Tells systemd, where it started us, that the daemon is ready, what it does, and that it is alive (sd_notify(3)).
///
/// READY=1 is sent once the journals are open: from then on the daemon does its work, also while a server is away. STATUS= says how
/// much comes and goes, what waits, and what is away.
struct ServiceManagerNotifier: Service {
    private let status: DaemonStatus
    private let socket = NotifySocket()

    init(status: DaemonStatus) {
        self.status = status
    }

    func run() async throws {
        guard let socket else {
            try? await gracefulShutdown()
            return
        }
        ready()
        await cancelWhenGracefulShutdown {
            var activity = ActivityText()
            var failures: [String]?
            var pingAt = ContinuousClock.now
            while !Task.isCancelled {
                let isDue = pingAt <= .now
                // What begins and ends to fail is told at once.
                if isDue || failures != status.failures {
                    failures = status.failures
                    socket.send("STATUS=" + activity.next(status).replacing("\n", with: " "))
                }
                if isDue {
                    // A thread that is stuck must let the watchdog bite.
                    if status.liveness.stuck.isEmpty { socket.send("WATCHDOG=1") }
                    pingAt = .now + socket.pingInterval
                }
                // Cancellation ends the sleep early, and the loop.
                try? await Task.sleep(for: min(socket.pingInterval, .seconds(1)))
            }
        }
        socket.send("STOPPING=1")
    }

    /// The configuration is being read; `ready()` follows.
    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        socket?.send("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }

    func ready() {
        socket?.send("READY=1")
    }
}

/// One line for `systemctl status`.
private struct ActivityText {
    private var last: (at: ContinuousClock.Instant, received: Int, stored: Int)?

    mutating func next(_ status: DaemonStatus) -> String {
        let counts = status.domains.map(\.metrics.snapshot)
        let received = counts.reduce(0) { $0 + $1.received }
        // What a flush has dealt with, also where that changed nothing.
        let stored = counts.reduce(0) { $0 + $1.inserted + $1.updated + $1.kept }
        let now = ContinuousClock.now
        defer { last = (now, received, stored) }
        var parts: [String] = []
        if let last {
            let seconds = (now - last.at) / .seconds(1)
            parts.append("\(Int(Double(received - last.received) / seconds)) points/s in")
            parts.append("\(Int(Double(stored - last.stored) / seconds))/s to PostgreSQL")
        }
        parts.append("\(counts.reduce(0) { $0 + $1.pending }) points pending")
        let journals = status.domains.reduce(0) { $0 + $1.journal.waitingBytes }
        parts.append("journal \(journals >> 20) MiB")
        let failures = status.failures
        if !failures.isEmpty { parts.append("not working: " + failures.joined(separator: "; ")) }
        return parts.joined(separator: ", ")
    }
}

/// The datagram socket that systemd names in NOTIFY_SOCKET.
private struct NotifySocket: Sendable {
    let pingInterval: Duration
    private let path: String

    /// nil when no service manager listens.
    init?() {
        guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }),
            path.hasPrefix("/") || path.hasPrefix("@")
        else {
            return nil
        }
        self.path = path
        // A third of the watchdog's time; without a watchdog, often enough for a fresh status.
        let watchdog = getenv("WATCHDOG_USEC").flatMap { Int64(String(cString: $0)) } ?? 30_000_000
        pingInterval = .microseconds(max(watchdog / 3, 100_000))
    }

    /// Sends the assignments. Failing is not worth a word: the service manager notices silence by itself.
    func send(_ text: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        // An abstract socket's name begins with a NUL.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < capacity else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let message = Array(text.utf8)
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
