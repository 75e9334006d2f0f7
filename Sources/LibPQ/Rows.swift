internal import CLibPQ

/// The rows that a statement returned, in memory of libpq's that is freed with the last copy of this value.
///
/// Each accessor takes one PostgreSQL type, as its documentation says, and throws kind `usage` for a column of any
/// other, for a row or column that does not exist and for a malformed value. NULL makes the plain accessors throw and
/// the `optional…` ones answer nil. Rows and columns count from 0.
public struct Rows {
    let result: QueryResult

    init(_ result: QueryResult) { self.result = result }

    /// Number of rows returned.
    public var count: Int { Int(PQntuples(result.pointer)) }

    /// Number of columns.
    public var columnCount: Int { Int(PQnfields(result.pointer)) }

    /// Rows that the statement inserted, updated, deleted or returned; 0 for a statement that does none of it.
    public var affected: Int { result.affected }

    /// Whether the value is NULL. Throws for a row or column that does not exist.
    public func isNull(_ row: Int, _ column: Int) throws(PostgresError) -> Bool {
        try cell(row, column) == nil
    }
}

// MARK: - Values

extension Rows {
    /// A `boolean`.
    public func bool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool {
        try nonNull(optionalBool(row, column), row, column)
    }

    /// A `smallint`.
    public func int16(_ row: Int, _ column: Int) throws(PostgresError) -> Int16 {
        try nonNull(optionalInt16(row, column), row, column)
    }

    /// An `integer`.
    public func int32(_ row: Int, _ column: Int) throws(PostgresError) -> Int32 {
        try nonNull(optionalInt32(row, column), row, column)
    }

    /// A `bigint`.
    public func int64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
        try nonNull(optionalInt64(row, column), row, column)
    }

    /// A `double precision`.
    public func double(_ row: Int, _ column: Int) throws(PostgresError) -> Double {
        try nonNull(optionalDouble(row, column), row, column)
    }

    /// A `text`, `varchar`, `char`, `name` or `json`.
    public func text(_ row: Int, _ column: Int) throws(PostgresError) -> String {
        try nonNull(optionalText(row, column), row, column)
    }

    /// A `uuid`.
    public func uuid(_ row: Int, _ column: Int) throws(PostgresError) -> UUIDBytes {
        try nonNull(optionalUUID(row, column), row, column)
    }

    /// A `timestamptz`, as microseconds since 1970-01-01 UTC. Throws for the infinities and for dates after the year
    /// 294246.
    public func timestamp(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
        try nonNull(optionalTimestamp(row, column), row, column)
    }

    /// A `boolean`, nil for NULL.
    public func optionalBool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool? {
        try integer(row, column, .boolean, as: UInt8.self).map { $0 != 0 }
    }

    /// A `smallint`, nil for NULL.
    public func optionalInt16(_ row: Int, _ column: Int) throws(PostgresError) -> Int16? {
        try integer(row, column, .int2, as: Int16.self)
    }

    /// An `integer`, nil for NULL.
    public func optionalInt32(_ row: Int, _ column: Int) throws(PostgresError) -> Int32? {
        try integer(row, column, .int4, as: Int32.self)
    }

    /// A `bigint`, nil for NULL.
    public func optionalInt64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
        try integer(row, column, .int8, as: Int64.self)
    }

    /// A `double precision`, nil for NULL.
    public func optionalDouble(_ row: Int, _ column: Int) throws(PostgresError) -> Double? {
        try integer(row, column, .float8, as: UInt64.self).map(Double.init(bitPattern:))
    }

    /// A `text`, `varchar`, `char`, `name` or `json`, nil for NULL.
    public func optionalText(_ row: Int, _ column: Int) throws(PostgresError) -> String? {
        guard let bytes = try cell(row, column) else { return nil }
        switch columnType(column) {
        case .text, .varchar, .bpchar, .name, .json, .unknown: break
        default: throw wrongType(column, wanted: "text")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw unreadable(row, column, "is not UTF-8")
        }
        return text
    }

    /// A `uuid`, nil for NULL.
    public func optionalUUID(_ row: Int, _ column: Int) throws(PostgresError) -> UUIDBytes? {
        guard let bytes = try cell(row, column) else { return nil }
        guard columnType(column) == .uuid else { throw wrongType(column, wanted: "uuid") }
        guard bytes.count == 16 else { throw unreadable(row, column, "has \(bytes.count) bytes") }
        return UUIDBytes(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// A `timestamptz`, as `timestamp(_:_:)`, nil for NULL.
    public func optionalTimestamp(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
        guard let value = try integer(row, column, .timestamptz, as: Int64.self) else { return nil }
        guard let shifted = PostgresEpoch.sinceUnixEpoch(wireValue: value) else {
            throw unreadable(row, column, "is infinite or too late a date")
        }
        return shifted
    }
}

// MARK: - Cells

extension Rows {
    /// The value's bytes in PostgreSQL's binary format; nil for NULL. They live as long as `result`.
    private func cell(_ row: Int, _ column: Int) throws(PostgresError) -> UnsafeRawBufferPointer? {
        guard (0..<count).contains(row), (0..<columnCount).contains(column) else {
            throw PostgresError(
                operation: .read, kind: .usage,
                message: "row \(row), column \(column) of a result with \(count) rows and \(columnCount) columns")
        }
        let (row, column) = (Int32(row), Int32(column))
        guard PQgetisnull(result.pointer, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result.pointer, row, column), count: Int(PQgetlength(result.pointer, row, column)))
    }

    private func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ row: Int, _ column: Int, _ wanted: PostgresType, as: Value.Type
    ) throws(PostgresError) -> Value? {
        guard let bytes = try cell(row, column) else { return nil }
        guard columnType(column) == wanted else { throw wrongType(column, wanted: "\(wanted)") }
        guard bytes.count == MemoryLayout<Value>.size else {
            throw unreadable(row, column, "has \(bytes.count) bytes")
        }
        return Value(bigEndian: bytes.loadUnaligned(as: Value.self))
    }

    /// The column's type; for a domain the server reports the type beneath it. Nil for a type not known here.
    private func columnType(_ column: Int) -> PostgresType? {
        PostgresType(rawValue: PQftype(result.pointer, Int32(column)))
    }

    private func nonNull<Value>(_ value: Value?, _ row: Int, _ column: Int) throws(PostgresError) -> Value {
        guard let value else { throw unreadable(row, column, "is NULL") }
        return value
    }

    private func wrongType(_ column: Int, wanted: String) -> PostgresError {
        let found = columnType(column).map { "\($0)" } ?? "type \(PQftype(result.pointer, Int32(column)))"
        return PostgresError(
            operation: .read, kind: .usage, message: "column \(name(of: column)) is \(found), not \(wanted)")
    }

    private func unreadable(_ row: Int, _ column: Int, _ what: String) -> PostgresError {
        PostgresError(
            operation: .read, kind: .usage, message: "column \(name(of: column)) \(what) in row \(row)")
    }

    private func name(of column: Int) -> String {
        PQfname(result.pointer, Int32(column)).map { "\"\(String(cString: $0))\"" } ?? "\(column)"
    }
}
