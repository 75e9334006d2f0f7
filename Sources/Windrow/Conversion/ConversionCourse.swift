import LibPQ

/// How far a conversion has come, as the database has it.
struct ConversionCourse {
    /// A place in the order of the primary key.
    struct Key: Equatable {
        var series: Int32
        var timestamp: Int64
    }

    /// What `point` becomes.
    var engine: PointEngine
    /// All up to here is copied; nil when nothing is.
    var through: Key?
    /// Rows that the slices have stored.
    var copied: Int
    /// Rows that `point` was thought to have at the beginning; 0 when it was not known.
    var expected: Int
    /// Whether there is nothing left to copy.
    var isCopied: Bool

    /// nil when no conversion is under way.
    static func load(_ schema: Schema, _ connection: Connection) throws(PostgresError) -> ConversionCourse? {
        let table = schema.qualified(ConversionScript.course)
        guard try connection.execute("SELECT to_regclass($1) IS NOT NULL", [.text(table)]).bool(0, 0) else {
            return nil
        }
        let rows = try connection.execute("SELECT engine, series_id, ts, copied, expected, is_copied FROM \(table)")
        guard rows.count == 1, let engine = PointEngine(rawValue: try rows.text(0, 0)) else { return nil }
        var through: Key?
        if let series = try rows.optionalInt32(0, 1) {
            through = Key(series: series, timestamp: try rows.timestamp(0, 2))
        }
        return ConversionCourse(
            engine: engine, through: through, copied: Int(try rows.int64(0, 3)), expected: Int(try rows.int64(0, 4)),
            isCopied: try rows.bool(0, 5))
    }

    var share: Double? {
        if isCopied { return 1 }
        return expected > 0 ? min(Double(copied) / Double(expected), 0.99) : nil
    }
}

/// How many rows a slice has: as many as are copied in a time for which a writer can wait.
struct SliceSize: Equatable {
    private(set) var rows = 10_000

    static let bounds = 500...200_000
    static let aim = Duration.milliseconds(150)

    mutating func took(_ time: Duration, rows copied: Int) {
        let fitting = Double(copied) * (Self.aim / max(time, .milliseconds(1)))
        // A slice that is slow for once says little of the next.
        set(min(max(Int(fitting), rows / 2), rows * 2))
    }

    /// Somebody was in the way, or the slice in theirs.
    mutating func collided() { set(rows / 2) }

    private mutating func set(_ wanted: Int) { rows = min(max(wanted, Self.bounds.lowerBound), Self.bounds.upperBound) }
}
