import LibPQ

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

    /// What the import knows of the database may be wrong, and it cannot begin anew by itself.
    static func failedOver(isOnce: Bool) -> TransferError {
        TransferError(
            .unavailable,
            "PostgreSQL has failed over, and may have lost what the import had written or found there; "
                + (isOnce
                    ? "standard input cannot be read again: import the same once more, better from a file, which goes on by itself"
                    : "it does so again and again. Once a single host takes writes, start the import again: it goes on from where "
                        + "PostgreSQL stands"))
    }

    /// What was written is of a moment that cannot be read again.
    static func snapshotLost(_ error: PostgresError) -> TransferError {
        TransferError(
            .unavailable,
            "\(error); what stands on standard output is not complete, and cannot go on: export once more, and with --output FILE, "
                + "which begins anew by itself")
    }

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
