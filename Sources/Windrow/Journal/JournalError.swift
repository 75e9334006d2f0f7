/// What the journal could not do.
public struct JournalError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// The folder or file cannot be used at all: permissions, a read-only disk, not a folder. Waiting does not help.
        case unusable
        /// Another process has the journal open.
        case locked
        /// Written by a newer Windrow.
        case tooNew
        /// `journal.max_size` is reached, or the disk is full: accepted again when there is room.
        case full
        /// The disk failed.
        case failed
        /// The daemon stops.
        case closing
    }

    public var kind: Kind
    public var operation: String
    /// SQLite's extended result code or errno, whichever the operation knows.
    public var code: Int32?
    public var message: String
    /// What the operator can do.
    public var hint: String?

    /// `journal.max_size` is reached.
    static var noRoom: JournalError {
        JournalError(
            kind: .full, operation: "accept more", code: nil, message: "journal.max_size is reached",
            hint: "bring PostgreSQL back so that the journal drains, or raise journal.max_size")
    }

    /// For what comes too late.
    static var closing: JournalError {
        JournalError(kind: .closing, operation: "accept more", code: nil, message: "the daemon is stopping", hint: nil)
    }

    public var description: String {
        var text = "journal: cannot \(operation): \(message)"
        if let code { text += " (code \(code))" }
        if let hint { text += "; \(hint)" }
        return text
    }
}
