import Foundation

/// What a running process takes of the system, at one moment (proc(5)).
public struct ProcessFigures: Sendable {
    public var threads = 0
    /// File descriptors.
    public var descriptors = 0
    /// Bytes that are resident; the same with those that processes share divided among them; and those that are this process' alone.
    public var resident = 0
    public var proportional = 0
    public var own = 0
    /// Context switches of the threads that live.
    public var switches = 0

    public init(of process: Int32) throws {
        let folder = "/proc/\(process)"
        let files = FileManager.default
        let tasks = try files.contentsOfDirectory(atPath: folder + "/task")
        threads = tasks.count
        descriptors = try files.contentsOfDirectory(atPath: folder + "/fd").count
        for task in tasks {
            // One may have ended meanwhile.
            guard let status = try? Self.numbers(in: "\(folder)/task/\(task)/status") else { continue }
            switches += (status["voluntary_ctxt_switches"] ?? 0) + (status["nonvoluntary_ctxt_switches"] ?? 0)
        }
        let memory = try Self.numbers(in: folder + "/smaps_rollup")
        resident = (memory["Rss"] ?? 0) << 10
        proportional = (memory["Pss"] ?? 0) << 10
        own = ((memory["Private_Clean"] ?? 0) + (memory["Private_Dirty"] ?? 0)) << 10
    }

    /// The lines `name: number`.
    private static func numbers(in file: String) throws -> [String: Int] {
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        return Dictionary(
            lines.compactMap { line in
                let parts = line.split(whereSeparator: { $0 == ":" || $0.isWhitespace })
                return parts.count >= 2 ? Int(parts[1]).map { (String(parts[0]), $0) } : nil
            }
        ) { first, _ in first }
    }
}

extension DaemonProcess {
    public func figures() throws -> ProcessFigures {
        guard let processID else { throw FixtureError("the daemon does not run") }
        return try ProcessFigures(of: processID)
    }
}
