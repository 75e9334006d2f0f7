import Foundation

/// A program that a test needs, such as the broker or `openssl`.
struct Command {
    var arguments: [String]

    init(_ arguments: String...) { self.arguments = arguments }

    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    /// A started program, to be waited for.
    struct Running {
        let id: pid_t

        /// Nil while it runs.
        func status(waiting: Bool = false) -> Int32? {
            var status: Int32 = 0
            return waitpid(id, &status, waiting ? 0 : WNOHANG) == 0 ? nil : status
        }

        func end(_ signal: Int32) {
            kill(id, signal)
            _ = status(waiting: true)
        }
    }

    /// Starts it; what it prints goes to the file `log`.
    ///
    /// Not by Foundation's Process: that one's children inherit each other's descriptors, and a connection that two
    /// processes hold does not end when one of them closes it.
    func start(log: String) throws -> Running {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&files, 1, 2)
        _ = closeFrom(&files, 3)
        // A thread of Swift's runs with all signals blocked, and a child that inherits that cannot be told to end.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        // Debian keeps mosquitto in an sbin folder.
        let line = ["env", "PATH=\(String(cString: getenv("PATH"))):/usr/sbin:/usr/local/sbin", "LC_ALL=C"] + arguments
        var strings = line.map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        var id: pid_t = 0
        let failure = posix_spawnp(&id, "env", &files, &attributes, &strings, environ)
        guard failure == 0 else { throw Failed(description: "\(arguments): \(String(cString: strerror(failure)))") }
        return Running(id: id)
    }

    /// Runs it to its end, which must be a success.
    func run() throws {
        let folder = try Folder()
        defer { folder.remove() }
        let log = folder.path + "/log"
        let status = try start(log: log).status(waiting: true)
        guard status == 0 else {
            throw Failed(description: "\(arguments.joined(separator: " ")): \(status ?? -1)\n\(content(log))")
        }
    }
}

/// Glibc has it since 2.34; Swift's import of Glibc leaves it out.
@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
private func closeFrom(_ files: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ descriptor: Int32) -> Int32

/// What a file holds, as text; nothing if it is not there.
func content(_ file: String) -> String {
    String(decoding: FileManager.default.contents(atPath: file) ?? .init(), as: UTF8.self)
}

/// A folder for one test, which a broker that gave up root's rights can read.
struct Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "mqtt-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    func write(_ name: String, _ content: String) throws -> String {
        let file = path + "/" + name
        try content.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
