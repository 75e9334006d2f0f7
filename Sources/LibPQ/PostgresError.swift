/// What went wrong between this process and a PostgreSQL server.
///
/// No field holds a password or the connection string. `detail` may quote stored values, so it is not part of
/// `description`, which is what belongs in a log.
public struct PostgresError: Error, Sendable, Equatable {
    /// What was being done.
    public enum Operation: String, Sendable {
        case connect, execute, script, copy, begin, commit, rollback
        /// Reading a value out of `Rows`.
        case read
        /// Quoting an identifier.
        case quote
    }

    /// What it means for the connection, and so what to do next.
    public enum Kind: Sendable, Equatable {
        /// No connection came about: try again later.
        case connectionFailed
        /// The connection broke or was closed: reconnect. A statement on its way may or may not have taken effect.
        case connectionLost
        /// The server did not answer in time; the connection was closed, as its state is unknown: reconnect.
        case timedOut
        /// The server refused. The connection goes on; `sqlState` says why.
        case server
        /// The call cannot be served as it stands, such as a NUL in SQL or a column of another type: a defect, or a
        /// database of another shape. To repeat it does not help.
        case usage
    }

    public var operation: Operation
    public var kind: Kind
    /// The server's code. Nil when the server said nothing, and for a failed connect unless it is `tooManyConnections`: libpq 15 keeps
    /// it to itself.
    public var sqlState: SQLState?
    /// One line, for people.
    public var message: String
    /// More about it; may quote data.
    public var detail: String?
    /// What the operator can do, where the server or this module knows something.
    public var hint: String?
    /// The objects that it is about, as far as the server names them; so the next three.
    public var schema: String?
    public var table: String?
    public var column: String?
    public var constraint: String?

    public init(
        operation: Operation, kind: Kind, sqlState: SQLState? = nil, message: String, detail: String? = nil,
        hint: String? = nil
    ) {
        self.operation = operation
        self.kind = kind
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
    }

    /// Whether the connection that threw this is of no more use.
    public var endsConnection: Bool {
        switch kind {
        case .connectionFailed, .connectionLost, .timedOut: true
        case .server, .usage: false
        }
    }
}

extension PostgresError: CustomStringConvertible {
    public var description: String {
        var text = "PostgreSQL \(operation.rawValue): \(message)"
        if let sqlState { text += " (SQLSTATE \(sqlState))" }
        if let hint { text += "; \(hint)" }
        return text
    }
}
