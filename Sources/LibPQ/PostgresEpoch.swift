/// PostgreSQL counts microseconds from 2000-01-01 UTC, this module's callers from 1970-01-01 UTC. On the wire the
/// least and the greatest `Int64` stand for `-infinity` and `infinity`.
@usableFromInline
enum PostgresEpoch {
    @inlinable static var unixToPostgres: Int64 { 946_684_800_000_000 }

    /// What lies before PostgreSQL's range becomes a value that the server refuses (`timestampOutOfRange`): it must
    /// neither wrap around to a valid date nor turn into `-infinity`.
    @inlinable
    static func wireValue(sinceUnixEpoch value: Int64) -> Int64 {
        let (shifted, overflow) = value.subtractingReportingOverflow(unixToPostgres)
        return overflow ? .min + 1 : max(shifted, .min + 1)
    }

    /// Nil for the infinities and for dates after the year 294246, which `Int64` microseconds since 1970 cannot hold.
    static func sinceUnixEpoch(wireValue value: Int64) -> Int64? {
        guard value != .min, value != .max else { return nil }
        let (shifted, overflow) = value.addingReportingOverflow(unixToPostgres)
        return overflow ? nil : shifted
    }
}
