import Foundation

/// A program that a test needs, such as the broker or `openssl`.
struct Command {
    var arguments: [String]

    init(_ arguments: String...) { self.arguments = arguments }

    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    /// Starts it; what it prints goes to `log`.
    func start(log: String? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C"]) { $1 }
        // Debian keeps mosquitto in an sbin folder.
        process.environment?["PATH", default: ""] += ":/usr/sbin:/usr/local/sbin"
        process.standardInput = FileHandle.nullDevice
        var output = FileHandle.nullDevice
        if let log {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            output = FileHandle(forWritingAtPath: log)!
        }
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return process
    }

    /// Runs it to its end, which must be a success.
    func run() throws {
        let folder = try Folder()
        defer { folder.remove() }
        let log = folder.path + "/log"
        let process = try start(log: log)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            throw Failed(description: "\(arguments.joined(separator: " ")): \(process.terminationStatus)\n\(text)")
        }
    }
}

/// A folder for one test, which a broker that gave up root's rights can read.
struct Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/mosquitto-tests-" + UUID().uuidString
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
