import Glibc

/// A moment: microseconds since 1970-01-01T00:00:00Z, UTC. Leap seconds are not counted, as in PostgreSQL.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var microseconds: Int64

    @inlinable
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    @inlinable
    public static func < (a: Timestamp, b: Timestamp) -> Bool {
        a.microseconds < b.microseconds
    }

    /// The range that RFC 3339 can write, years 0 to 9999. Intake accepts nothing outside it, so that arithmetic on
    /// timestamps and spans never overflows and PostgreSQL can store every accepted value.
    public static let earliest = Timestamp(microseconds: -62_167_219_200_000_000)
    public static let latest = Timestamp(microseconds: 253_402_300_799_999_999)
}

/// A stretch of time, both ends included. `first <= last` always.
public struct TimeRange: Hashable, Sendable {
    public var first: Timestamp
    public var last: Timestamp

    public init(first: Timestamp, last: Timestamp) {
        precondition(first <= last, "a time range must not be reversed")
        self.first = first
        self.last = last
    }

    @inlinable
    public func contains(_ timestamp: Timestamp) -> Bool {
        first <= timestamp && timestamp <= last
    }

    /// Last minus first, in microseconds.
    public var span: Int64 { last.microseconds - first.microseconds }
}

extension Timestamp {
    /// A moment that long before another, but not before `earliest`.
    public init(before later: Timestamp, by duration: Duration) {
        let (difference, overflow) = later.microseconds.subtractingReportingOverflow(duration.microseconds)
        self = overflow ? .earliest : max(Timestamp(microseconds: difference), .earliest)
    }

    /// The wall clock.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
