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

    /// What the import knows of the database may be wrong.
    static let failedOver = TransferError(
        .unavailable,
        "PostgreSQL has failed over, and may have lost what the import had written or found there; start the import again: "
            + "it goes on from where PostgreSQL stands")

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
