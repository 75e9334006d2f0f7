import Foundation

/// The built daemon, run as its users run it.
public final class DaemonProcess {
    public let configuration: String
    /// The port of `http.admin`.
    public let adminPort: UInt16
    /// The port of `http.listen`, where a domain with `keys_file: demo.keys` takes `TestKey`.
    public let httpPort: UInt16
    private let folder: TemporaryFolder
    private let program: String
    private var process: ChildProcess?

    /// - Parameters:
    ///   - domains: the value of `domains` in the configuration, indented by two spaces.
    ///   - more: other top-level keys.
    ///   - http: further keys of `http`, indented by two spaces.
    ///   - journal: the journal's folder; one of its own when not named.
    ///   - program: the daemon; the one that was built beside this process when not named.
    public init(
        domains: String, more: String = "", http: String = "", journal: String? = nil, program: String? = nil
    ) throws {
        self.program = program ?? Project.program("windrow")
        folder = try TemporaryFolder("windrow-daemon")
        adminPort = try Sandbox.freePort()
        httpPort = try Sandbox.freePort()
        let text = """
            http:
              admin: 127.0.0.1:\(adminPort)
              listen: 127.0.0.1:\(httpPort)
            \(http)
            journal:
              directory: \(journal ?? folder.path + "/journal")
            \(more)
            domains:
            \(domains)
            """
        configuration = try folder.write(text, to: "windrow.yaml")
        try folder.write(TestKey.line, to: "demo.keys")
    }

    /// Changes the configuration's text.
    public func edit(_ text: String, to replacement: String) throws {
        let whole = try String(contentsOfFile: configuration, encoding: .utf8)
        guard whole.contains(text) else { throw FixtureError("the configuration has no \(text)") }
        try whole.replacingOccurrences(of: text, with: replacement)
            .write(toFile: configuration, atomically: true, encoding: .utf8)
    }

    deinit {
        try? kill()
    }

    /// The folder of the configuration, and of the journal unless another was named.
    public var path: String { folder.path }

    /// Leaves the folder where it is when the value goes.
    public func keep() { folder.keep() }

    public var processID: Int32? { process.flatMap { $0.exitCode() == nil ? $0.processID : nil } }

    /// All that the daemon has logged, over all its starts.
    public var log: String { (try? String(contentsOfFile: folder.path + "/log", encoding: .utf8)) ?? "" }

    /// The end of the log; of a crash its beginning.
    public var logExcerpt: String {
        let log = log
        let crash = log.range(of: "Fatal error") ?? log.range(of: "*** Program crashed")
        return String(crash.map { log[$0.lowerBound...].prefix(6000) } ?? log.suffix(4000)[...])
    }

    /// - Parameters:
    ///   - wrapper: a program that replaces itself by the one in its arguments, such as `env`.
    ///   - socket: is passed as systemd passes the socket of a unit.
    public func start(
        _ arguments: [String] = [], environment: [String: String] = [:], wrapper: String? = nil,
        socket: ListeningSocket? = nil
    ) throws {
        guard processID == nil else { throw FixtureError("the daemon runs already") }
        let file = folder.path + "/log"
        var command = [wrapper, program].compactMap { $0 } + ["run", "--config", configuration] + arguments
        var environment = environment
        if let socket {
            // The process' own ID is known in the process alone.
            command = ["/bin/sh", "-c", #"LISTEN_PID=$$ exec "$0" "$@""#] + command
            environment.merge(["LISTEN_FDS": "1", "LISTEN_FDNAMES": socket.name]) { $1 }
        }
        process = try ChildProcess(
            command[0], Array(command.dropFirst()), output: file, errors: file,
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
            passing: socket?.descriptor)
    }

    public func startAndWait() throws {
        try start()
        try waitUntilReady()
    }

    /// Until `/readyz` answers 200.
    public func waitUntilReady(timeout: Duration = .seconds(60)) throws {
        do {
            try waitUntil("the daemon is ready", timeout: timeout) {
                guard processID != nil else { throw FixtureError("the daemon ended") }
                return try get("/readyz").status == 200
            }
        } catch {
            throw FixtureError("\(error); its log:\n\(logExcerpt)")
        }
    }

    /// For what may be logged a moment after it can be seen elsewhere.
    public func waitUntilLogged(_ text: String) throws {
        do { try waitUntil("the log says: \(text)") { log.contains(text) } } catch {
            throw FixtureError("\(error); it says:\n\(logExcerpt)")
        }
    }

    /// SIGTERM, then waits; answers the exit code.
    @discardableResult
    public func stop(timeout: Duration = .seconds(60)) throws -> Int32 {
        signal(SIGTERM)
        return try waitForExit(timeout: timeout)
    }

    /// SIGKILL, then waits.
    public func kill() throws {
        signal(SIGKILL)
        try waitForExit()
    }

    public func signal(_ signal: Int32) {
        process?.signal(signal)
    }

    @discardableResult
    public func waitForExit(timeout: Duration = .seconds(60)) throws -> Int32 {
        guard let process else { return 0 }
        let code = try waitUntil("the daemon ends", timeout: timeout) { process.exitCode() }
        self.process = nil
        return code
    }

    /// Asks the admin server; status 0 when it does not answer.
    public func get(_ path: String) throws -> (status: Int, body: String) {
        guard let connection = try? HTTPConnection(port: adminPort, timeout: .seconds(5)),
            let response = try? connection.get(path)
        else { return (0, "") }
        return (response.status, response.text)
    }

    /// The value of a metric's only sample, or of the one with the labels as they are written.
    public func metric(_ sample: String) throws -> Double? {
        let metrics = try metrics()
        return metrics[sample] ?? metrics.first { $0.key.hasPrefix(sample + "{") }?.value
    }

    /// All samples, by their names with the labels as they are written.
    public func metrics() throws -> [String: Double] {
        let samples = try get("/metrics").body.split(separator: "\n").filter { !$0.hasPrefix("#") }
        return Dictionary(
            samples.compactMap { line in
                line.lastIndex(of: " ").map { (String(line[..<$0]), Double(line[line.index(after: $0)...]) ?? .nan) }
            }
        ) { $1 }
    }

    /// The CPU time that the daemon has used, in user and system mode, and the most bytes that were resident (proc(5)).
    public func usage() throws -> (cpu: Duration, peakMemory: Int) {
        guard let processID else { throw FixtureError("the daemon does not run") }
        let stat = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
        // Behind the name, which may hold anything.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        let ticks = fields[12...13].compactMap { Int($0) }.reduce(0, +)
        let status = try String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.split(separator: " ")[1]
        return (.seconds(1) * ticks / Int(sysconf(Int32(_SC_CLK_TCK))), (peak.flatMap { Int($0) } ?? 0) << 10)
    }

    /// Resident memory in bytes, of the process as the kernel sees it.
    public var residentMemory: Int {
        guard let processID, let text = try? String(contentsOfFile: "/proc/\(processID)/statm", encoding: .utf8) else {
            return 0
        }
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
