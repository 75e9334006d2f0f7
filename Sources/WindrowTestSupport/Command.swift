import Foundation

/// Runs programs and waits for them.
public enum Command {
    public struct Result: Sendable {
        public var status: Int32
        public var output: String
        public var errors: String
    }

    /// - Parameters:
    ///   - program: a path, or a name to look up in PATH.
    ///   - input: given to standard input.
    ///   - environment: replaces this process' when given.
    public static func run(
        _ program: String, _ arguments: [String] = [], input: Data? = nil, environment: [String: String]? = nil
    ) throws -> Result {
        // Files instead of pipes: nothing can block on a full one.
        let folder = try TemporaryFolder("windrow-command")
        let names = ["in", "out", "err"].map { folder.path + "/" + $0 }
        for name in names { try (name == names[0] ? input ?? Data() : Data()).write(to: URL(fileURLWithPath: name)) }
        let child = try ChildProcess(
            program, arguments, input: names[0], output: names[1], errors: names[2], environment: environment)
        return Result(
            status: child.exitCode(wait: true) ?? -1,
            output: String(decoding: try Data(contentsOf: URL(fileURLWithPath: names[1])), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: URL(fileURLWithPath: names[2])), as: UTF8.self))
    }

    /// Runs a program that must succeed; answers its standard output.
    @discardableResult
    public static func require(_ program: String, _ arguments: [String] = [], input: Data? = nil) throws -> String {
        let result = try run(program, arguments, input: input)
        guard result.status == 0 else {
            throw FixtureError(
                "\(program) \(arguments.joined(separator: " ")): exit code \(result.status)\n\(result.output)\(result.errors)"
            )
        }
        return result.output
    }
}

/// Waits until `condition` answers something, looking every few milliseconds.
/// - Throws: `FixtureError` when `timeout` has passed first.
@discardableResult
public func waitUntil<R>(
    _ what: String, timeout: Duration = .seconds(60), every pause: Duration = .milliseconds(10),
    _ condition: () throws -> R?
) throws -> R {
    let timeout = timeout * Sanitizer.patience
    let deadline = ContinuousClock.now + timeout
    while true {
        if let answer = try condition() { return answer }
        guard ContinuousClock.now < deadline else { throw FixtureError("waited \(timeout) in vain: \(what)") }
        usleep(UInt32(pause / .microseconds(1)))
    }
}

/// `waitUntil` for a plain condition.
public func waitUntil(
    _ what: String, timeout: Duration = .seconds(60), every pause: Duration = .milliseconds(10),
    isTrue condition: () throws -> Bool
) throws {
    try waitUntil(what, timeout: timeout, every: pause) { try condition() ? true : nil }
}
