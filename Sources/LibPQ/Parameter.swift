/// A parameter of `Connection.execute`, sent in PostgreSQL's binary format with its type stated.
///
/// Timestamps are microseconds since 1970-01-01 UTC; outside PostgreSQL's range the server refuses them
/// (`timestampOutOfRange`). Text that holds a NUL is refused by the server (`invalidByteSequence`).
public enum Parameter: Sendable, Equatable {
    /// SQL NULL, of the type that the statement implies.
    case null
    case boolean(Bool)
    case int2(Int16)
    case int4(Int32)
    case int8(Int64)
    case float8(Double)
    case text(String)
    case uuid(UUIDBytes)
    case timestamptz(Int64)
    case booleanArray([Bool])
    case int4Array([Int32])
    case int8Array([Int64])
    case float8Array([Double])
    case textArray([String])
    case uuidArray([UUIDBytes])
    case timestamptzArray([Int64])
}
