/// Why an import, an export or a look at the journal ended.
public struct TransferError: Error, Sendable, CustomStringConvertible {
    /// What a script has to know; each is an exit code of the commands.
    public enum Kind: Sendable {
        /// The command asks for what cannot be.
        case usage
        /// The input is not what it must be.
        case badData
        /// The input cannot be opened.
        case noInput
        /// Reading or writing a file failed.
        case file
        /// PostgreSQL cannot be reached.
        case unavailable
        /// The database has to change first.
        case database
    }

    public var kind: Kind
    public var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
