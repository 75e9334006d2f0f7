/// The five-character code that PostgreSQL gives each error: two for the class, three for the condition.
///
/// Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes". Branch on these, never on message text.
public struct SQLState: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    /// Nil unless `rawValue` is five characters out of `0`–`9` and `A`–`Z`.
    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard bytes.count == 5, bytes.allSatisfy({ (48...57).contains($0) || (65...90).contains($0) }) else {
            return nil
        }
        self.rawValue = rawValue
    }

    private init(_ known: String) { rawValue = known }

    /// The first two characters: `23` is an integrity violation, `53` a lack of resources.
    public var classCode: String { String(rawValue.prefix(2)) }
}

extension SQLState: CustomStringConvertible {
    public var description: String { rawValue }
}

extension SQLState {
    // Connection
    public static let connectionException = SQLState("08000")
    public static let connectionFailure = SQLState("08006")
    public static let protocolViolation = SQLState("08P01")
    public static let invalidAuthorization = SQLState("28000")
    public static let invalidPassword = SQLState("28P01")
    public static let undefinedDatabase = SQLState("3D000")

    // Content that the server refuses
    public static let cardinalityViolation = SQLState("21000")
    public static let numericValueOutOfRange = SQLState("22003")
    public static let timestampOutOfRange = SQLState("22008")
    public static let invalidByteSequence = SQLState("22021")
    public static let invalidBinaryRepresentation = SQLState("22P03")
    public static let badCopyFormat = SQLState("22P04")
    public static let notNullViolation = SQLState("23502")
    public static let foreignKeyViolation = SQLState("23503")
    public static let uniqueViolation = SQLState("23505")
    public static let checkViolation = SQLState("23514")
    public static let exclusionViolation = SQLState("23P01")

    // Transactions
    public static let activeTransaction = SQLState("25001")
    public static let readOnlyTransaction = SQLState("25006")
    public static let failedTransaction = SQLState("25P02")
    public static let idleInTransactionTimeout = SQLState("25P03")
    public static let serializationFailure = SQLState("40001")
    public static let deadlockDetected = SQLState("40P01")
    public static let notInPrerequisiteState = SQLState("55000")
    public static let lockNotAvailable = SQLState("55P03")

    // Schema and rights
    public static let undefinedSchema = SQLState("3F000")
    public static let insufficientPrivilege = SQLState("42501")
    public static let syntaxError = SQLState("42601")
    public static let undefinedColumn = SQLState("42703")
    public static let undefinedFunction = SQLState("42883")
    public static let undefinedTable = SQLState("42P01")
    public static let duplicateTable = SQLState("42P07")
    public static let duplicateObject = SQLState("42710")
    public static let duplicateSchema = SQLState("42P06")

    // The server's own condition
    public static let diskFull = SQLState("53100")
    public static let outOfMemory = SQLState("53200")
    public static let tooManyConnections = SQLState("53300")
    public static let queryCanceled = SQLState("57014")
    public static let adminShutdown = SQLState("57P01")
    public static let crashShutdown = SQLState("57P02")
    public static let cannotConnectNow = SQLState("57P03")
    public static let databaseDropped = SQLState("57P04")
    public static let idleSessionTimeout = SQLState("57P05")
    public static let ioError = SQLState("58030")
}
