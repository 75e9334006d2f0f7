/// Why a conversion does not begin, go on or end.
public struct ConversionError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// Another one is under way.
        case busy
        /// Somebody has to change the database or the configuration first.
        case database
        /// It was interrupted, and can be resumed.
        case interrupted
    }

    public var kind: Kind
    public var description: String

    init(kind: Kind, description: String) {
        self.kind = kind
        self.description = description
    }

    init(_ error: StorageError) {
        self.init(kind: .database, description: "\(error)")
    }

    static let interrupted = ConversionError(
        kind: .interrupted,
        description: "interrupted; the same command goes on from here, and --abandon undoes the conversion")

    static func busy(_ process: String) -> ConversionError {
        ConversionError(kind: .busy, description: "another windrow migrate is at work on point\(process)")
    }

    static func impossible(_ schema: Schema, _ found: PointEngine, _ wanted: PointEngine) -> ConversionError {
        let advice =
            switch (found, wanted) {
            case (.plain, .citus):
                "Citus does it by itself, and others write meanwhile: "
                    + "SELECT create_distributed_table_concurrently('\(schema.qualified("point"))', 'series_id')"
            case (.citus, _): "Citus does it by itself: SELECT undistribute_table('\(schema.qualified("point"))')"
            default: "use windrow export, and windrow import into a database that has the engine"
            }
        return ConversionError(
            kind: .database,
            description:
                "point is stored by \(found.rawValue), which windrow migrate does not turn into \(wanted.rawValue); \(advice)"
        )
    }

    static func oldIsThere(_ schema: String, _ size: String) -> ConversionError {
        ConversionError(
            kind: .database,
            description:
                "\(schema).point_old of an earlier conversion is still there (\(size)); windrow migrate --drop-old drops it"
        )
    }

    static func obstacles(_ schema: String, _ obstacles: [String]) -> ConversionError {
        ConversionError(
            kind: .database,
            description:
                "\(schema).point has what a conversion does not take over: \(obstacles.joined(separator: ", ")); "
                + "drop it, run windrow migrate, and make it again on the new table")
    }

    static func otherEngine(_ schema: String, _ engine: PointEngine, _ wanted: PointEngine) -> ConversionError {
        ConversionError(
            kind: .database,
            description:
                "a conversion of \(schema).point to \(engine.rawValue) is under way, and the configuration says "
                + "\(wanted.rawValue): set storage.engine back, or undo it by windrow migrate --abandon")
    }

    static func differs(_ what: String) -> ConversionError {
        ConversionError(
            kind: .database,
            description:
                "point and point_next differ: \(what). Nothing is swapped and point is as it was. Did somebody write to a "
                + "partition, or with triggers disabled? windrow migrate --abandon undoes the conversion, to begin anew"
        )
    }

    static let isGone = ConversionError(
        kind: .database,
        description:
            "the conversion that was under way is gone, or the last of it: undone by somebody, or lost when PostgreSQL came "
            + "back from a backup or as another server; the same command goes on from what is there")

    static func unfit(_ schema: String, series: Int32, time: String) -> ConversionError {
        ConversionError(
            kind: .database,
            description:
                "\(schema).point has a point that no partition can be made for: that of series \(series) at \(time), and perhaps "
                + "others; delete what is not between the years 1 and 9999, and give the command again to go on")
    }

    static func diskFull(_ message: String) -> ConversionError {
        ConversionError(
            kind: .database,
            description:
                "PostgreSQL has no room on its disk (\(message)). point is as it was; make room and give the command again, or "
                + "give the room back by windrow migrate --abandon")
    }
}
