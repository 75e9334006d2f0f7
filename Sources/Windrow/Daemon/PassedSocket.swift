import Glibc
import Logging

/// A socket that the service manager listens on and passes at the start, so that clients who connect while the daemon restarts wait in
/// the kernel instead of being refused (sd_listen_fds(3), systemd.socket(5)).
struct PassedSocket: Hashable {
    let descriptor: CInt
    /// `FileDescriptorName=` of the socket's unit.
    let name: String

    /// The sockets that the variables name; none when they are meant for another process.
    static func named(in environment: (String) -> String?, processID: pid_t) -> [PassedSocket] {
        guard environment("LISTEN_PID") == "\(processID)",
            let count = environment("LISTEN_FDS").flatMap({ CInt($0) }), (1...1024).contains(count)
        else {
            return []
        }
        let names = environment("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        // SD_LISTEN_FDS_START is 3.
        return (0..<count).map {
            PassedSocket(descriptor: 3 + $0, name: names.count > $0 ? String(names[Int($0)]) : "")
        }
    }

    /// The socket for `http.listen`, if one is passed: the one with the name `http`, else the only one. Once in a process: the variables
    /// go, and what is not used is closed.
    static func take(_ log: Logger) throws(ListenError) -> PassedSocket? {
        let passed = named(in: { getenv($0).map { String(cString: $0) } }, processID: getpid())
        for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(variable) }
        for socket in passed { _ = fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC) }
        let http = passed.filter { $0.name == "http" }
        let wanted = http.isEmpty ? passed : http
        for socket in passed where !wanted.contains(socket) {
            log.warning(
                "a socket that the service manager passes is not used: only http.listen takes one",
                metadata: ["name": "\(socket.name)"])
            Glibc.close(socket.descriptor)
        }
        guard wanted.count <= 1 else {
            throw failure(wanted[0], "there are \(wanted.count) of them, and one is taken", "leave one ListenStream=")
        }
        guard let socket = wanted.first else { return nil }
        guard socket.option(SO_ACCEPTCONN) == 1, socket.option(SO_TYPE) == CInt(SOCK_STREAM.rawValue) else {
            throw failure(socket, "it is no stream socket that listens", "use ListenStream= and Accept=no")
        }
        return socket
    }

    /// The service manager goes on to listen: those who connect get no answer.
    func close(unusedBy log: Logger) {
        log.warning(
            """
            the service manager listens for HTTP, but no domain has a keys_file, or http.listen is off: whoever connects waits in vain; \
            name a keys_file, or `systemctl disable --now windrow.socket`
            """)
        Glibc.close(descriptor)
    }

    private static func failure(_ socket: PassedSocket, _ message: String, _ hint: String) -> ListenError {
        ListenError(
            key: "http.listen", address: "the socket that the service manager passes (\(socket.name))",
            message: message, hint: hint + " in windrow.socket")
    }

    private func option(_ name: CInt) -> CInt? {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}
