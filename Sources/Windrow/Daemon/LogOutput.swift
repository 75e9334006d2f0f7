import Glibc
import Logging

/// Writes log lines to standard error: for people, or with journald's priorities where systemd reads them.
public struct LogOutput: LogHandler {
    /// The least that is written, unless a logger has a level of its own.
    public static var level: Logger.Level {
        get { current.current }
        set { current.current = newValue }
    }
    private static let current = Live(Logger.Level.info)

    private var ownLevel: Logger.Level?
    public var metadata: Logger.Metadata = [:]
    private let isJournald: Bool

    /// Makes all loggers write here.
    public static func install(level: Logger.Level) {
        let isJournald = standardErrorIsJournal
        Self.level = level
        LoggingSystem.bootstrap { _ in LogOutput(isJournald: isJournald) }
    }

    private init(isJournald: Bool) {
        self.isJournald = isJournald
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? Self.level }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let more = event.metadata { all.merge(more) { $1 } }
        let line = Self.line(event.level, event.message, all, at: .now, isJournald: isJournald)
        // One write a line: lines of several threads do not mix. Where standard error is gone, there is nobody to tell.
        _ = Array(line.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// One line. journald stamps the time itself and reads the priority from `<n>` (sd-daemon(3)).
    static func line(
        _ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata, at time: Timestamp,
        isJournald: Bool
    ) -> String {
        let domain = metadata["domain"].map { "\($0): " } ?? ""
        var line = isJournald ? "<\(level.journaldPriority)>" : "\(time.milliseconds) \(level.padded) "
        line += "\(domain)\(message)"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where key != "domain" {
            line += " \(key)=\(quoted("\(value)"))"
        }
        return line.replacing("\n", with: "\\n") + "\n"
    }

    private static func quoted(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.allSatisfy { !$0.isWhitespace && $0 != "\"" && $0 != "=" }
        return isPlain ? value : "\"" + value.replacing("\"", with: "\\\"") + "\""
    }

    /// systemd names the journal's device and inode; a redirected standard error is another file (systemd.exec(5)).
    private static var standardErrorIsJournal: Bool {
        guard let stream = getenv("JOURNAL_STREAM") else { return false }
        var file = stat()
        guard fstat(STDERR_FILENO, &file) == 0 else { return false }
        return String(cString: stream) == "\(file.st_dev):\(file.st_ino)"
    }
}

extension Logger.Level {
    fileprivate var journaldPriority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    fileprivate var padded: String {
        rawValue.padding(to: 8)
    }
}

extension String {
    fileprivate func padding(to length: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, length - count))
    }
}

extension Timestamp {
    /// The moment cut to milliseconds, always three digits of them, so that log lines align.
    fileprivate var milliseconds: String {
        let whole = Timestamp(microseconds: microseconds - microseconds % 1_000_000)
        let digits = String(1000 + microseconds % 1_000_000 / 1000).dropFirst()
        return "\(whole)".dropLast() + ".\(digits)Z"
    }
}
