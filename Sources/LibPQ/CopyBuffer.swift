/// Rows on their way into `COPY … FROM STDIN (FORMAT binary)`, encoded as they are appended.
///
/// Source: PostgreSQL documentation, COPY, "Binary Format": a header of 19 bytes; each row an `int2` field count, then
/// each field as an `int4` length and its big-endian value; a trailer of -1 in place of a field count. The buffer
/// holds the header and the rows; `Connection.copy` sends the trailer, so that one buffer can be appended to, sent,
/// sent again after a conflict, and reused.
///
/// One owner at a time: it cannot be copied, and can move between threads.
public struct CopyBuffer: ~Copyable {
    static let headerSize = 19
    /// Field count, then length and value of `int4`, `timestamptz` and `float8`.
    @inlinable static var pointSize: Int { 2 + (4 + 4) + (4 + 8) + (4 + 8) }

    @usableFromInline var bytes: GrowingBytes

    /// - Parameter capacity: rows to make room for at once. More rows make it grow by doubling.
    public init(capacity: Int = 0) {
        bytes = GrowingBytes(capacity: Self.headerSize + max(capacity, 0) * Self.pointSize)
        bytes.append("PGCOPY\n".utf8)
        bytes.append(0xFF0D_0A00 as UInt32)
        bytes.append(0 as UInt64)  // no flags, and a header extension of no bytes
    }

    /// Rows appended since the last `removeAll`.
    public var rowCount: Int { (bytes.count - Self.headerSize) / Self.pointSize }

    /// Bytes held, header included: what the buffer costs in memory, but for spare capacity.
    public var byteCount: Int { bytes.count }

    /// Appends one row `(integer, timestamptz, double precision)`.
    ///
    /// - Parameter microseconds: since 1970-01-01 UTC. What lies outside PostgreSQL's range is refused by the server
    ///   (`timestampOutOfRange`).
    @inlinable
    public mutating func appendPoint(series: Int32, microseconds: Int64, value: Double) {
        bytes.reserve(Self.pointSize)
        bytes.append(3 as UInt16)
        bytes.append(4 as UInt32)
        bytes.append(series)
        bytes.append(8 as UInt32)
        bytes.append(PostgresEpoch.wireValue(sinceUnixEpoch: microseconds))
        bytes.append(8 as UInt32)
        bytes.append(value.bitPattern)
    }

    /// Forgets all rows.
    ///
    /// - Parameter keepCapacity: keep the memory for the next rows; else go back to the least.
    public mutating func removeAll(keepingCapacity keepCapacity: Bool = true) {
        bytes.count = Self.headerSize
        if !keepCapacity { bytes.move(toCapacity: 64) }
    }
}

// The memory has one owner, as the type cannot be copied, and nothing else points at it.
extension CopyBuffer: @unchecked Sendable {}
