import Glibc

/// A program in a process of its own, with its output in files.
///
/// Foundation's `Process` waits until every descendant has closed what it inherited, and a sandbox's servers never do.
public final class ChildProcess {
    public let processID: Int32
    private var status: Int32?

    /// Starts the program; `input`, `output` and `errors` are paths.
    /// - Parameters:
    ///   - environment: replaces this process' when given.
    ///   - passing: becomes the child's descriptor 3.
    public init(
        _ program: String, _ arguments: [String], input: String = "/dev/null", output: String, errors: String,
        environment: [String: String]? = nil, passing: Int32? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        if let passing { posix_spawn_file_actions_adddup2(&actions, passing, 3) }

        // Threads of Swift's and Dispatch's pools block signals, and children inherit that: a server could not be stopped.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        // Freed below; the child has its own copies.
        var argv = ([program] + arguments).map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var variables = environment.map { pairs in pairs.map { strdup("\($0.key)=\($0.value)") } + [nil] } ?? []
        defer { variables.forEach { free($0) } }
        var child: pid_t = 0
        let failure =
            variables.isEmpty
            ? posix_spawnp(&child, program, &actions, &attributes, &argv, environ)
            : posix_spawnp(&child, program, &actions, &attributes, &argv, &variables)
        guard failure == 0 else { throw FixtureError("cannot start \(program): \(String(cString: strerror(failure)))") }
        processID = child
    }

    deinit {
        if exitCode() != nil { return }
        // Collected in any case: Swift Testing waits for children of its own, and would find this one again and again.
        kill(processID, SIGKILL)
        _ = exitCode(wait: true)
    }

    /// The exit code, 128 plus the signal if one ended it; nil while it runs.
    public func exitCode(wait: Bool = false) -> Int32? {
        if let status { return status }
        var raw: Int32 = 0
        guard waitpid(processID, &raw, wait ? 0 : WNOHANG) == processID else { return nil }
        let signal = raw & 0x7F
        status = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
        return status
    }

    public func signal(_ signal: Int32) {
        if exitCode() == nil { kill(processID, signal) }
    }
}
