import Glibc
import ServiceLifecycle

/// Tells systemd, where it started us, that the daemon is ready, what it does, and that it is alive (sd_notify(3)).
///
/// READY=1 is sent once the journals are open: from then on the daemon does its work, also while a server is away. STATUS= says
/// what is away.
struct ServiceManagerNotifier: Service {
    let status: DaemonStatus

    func run() async throws {
        guard let socket = NotifySocket() else {
            try? await gracefulShutdown()
            return
        }
        socket.send("READY=1")
        await cancelWhenGracefulShutdown {
            var last = ""
            while !Task.isCancelled {
                let failures = status.failures
                let text = failures.isEmpty ? "working" : "not working: " + failures.joined(separator: "; ")
                if text != last { socket.send("STATUS=" + text.replacing("\n", with: " ")) }
                last = text
                // A thread that is stuck must let the watchdog bite.
                if status.liveness.stuck.isEmpty { socket.send("WATCHDOG=1") }
                // Cancellation ends the sleep early, and the loop.
                try? await Task.sleep(for: socket.pingInterval)
            }
        }
        socket.send("STOPPING=1")
    }
}

/// The datagram socket that systemd names in NOTIFY_SOCKET.
private struct NotifySocket {
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
