import Foundation
import Testing
import WindrowTestSupport

@Suite struct ServiceManagerTests {
    @Test("systemd is told READY, a STATUS, the watchdog's pings, a reload and STOPPING, on the socket that it names")
    func notifies() throws {
        let folder = try TemporaryFolder()
        let listener = try DatagramListener(path: folder.path + "/notify")
        let daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: host=127.0.0.1 port=1
                    mqtt: [{broker: "mqtt://127.0.0.1:1", client_id: c, subscriptions: [{topic: "n/{node}/{tag}"}]}]
                """)
        try daemon.start(environment: ["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "600000"])
        var seen: [String] = []
        try waitUntil("the daemon has told all") {
            if let message = listener.receive() { seen.append(message) }
            return seen.contains("READY=1") && seen.filter { $0 == "WATCHDOG=1" }.count >= 3
                && seen.contains { $0.contains("points/s in") && $0.contains("not working: demo: broker") }
        }
        daemon.signal(SIGHUP)
        seen = []
        try waitUntil("the reload is told") {
            if let message = listener.receive() { seen.append(message) }
            return seen.contains("READY=1")
        }
        let begin = try #require(seen.firstIndex { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") })
        #expect(try begin < #require(seen.firstIndex(of: "READY=1")))
        daemon.signal(SIGTERM)
        try waitUntil("the stop is told") { listener.receive() == "STOPPING=1" }
        #expect(try daemon.waitForExit() == 0)
    }

    @Test("where systemd reads the log, lines carry its priorities and no time")
    func journald() throws {
        let folder = try TemporaryFolder()
        let daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: host=127.0.0.1 port=1
                    mqtt: [{broker: "mqtt://127.0.0.1:1", client_id: c, subscriptions: [{topic: "n/{node}/{tag}"}]}]
                """)
        // The daemon's log is a file; systemd names the device and inode of what it reads.
        let log = try folder.write("", to: "log")
        var file = stat()
        #expect(stat(log, &file) == 0)
        let child = try ChildProcess(
            Project.program("windrow"), ["run", "--config", daemon.configuration], output: log, errors: log,
            environment: ["JOURNAL_STREAM": "\(file.st_dev):\(file.st_ino)", "PATH": "/usr/bin:/bin"])
        defer { child.signal(SIGKILL) }
        try waitUntil("something is logged") {
            try String(contentsOfFile: log, encoding: .utf8).contains("<3>demo: broker connection failed")
        }
        #expect(try String(contentsOfFile: log, encoding: .utf8).hasPrefix("<5>windrow "))
    }
}

/// A UNIX datagram socket, as systemd listens on.
private final class DatagramListener {
    let path: String
    private let descriptor: Int32

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = descriptor
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw FixtureError("cannot bind \(path)") }
    }

    deinit { close(descriptor) }

    /// The next datagram, if there is one.
    func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
