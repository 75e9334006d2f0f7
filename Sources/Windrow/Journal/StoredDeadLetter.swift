import Foundation
import GRDB

/// A dead letter as the journal keeps it.
public struct StoredDeadLetter: Sendable, Identifiable {
    /// Ascending in the order in which the letters were stored; never used again.
    public var id: Int64
    public var letter: DeadLetter
    /// The points had been accepted before they were refused: the payload is written by Windrow, on a topic of the form
    /// `nodes/{node}/{tag}`, and says everything itself.
    public var wasAccepted: Bool
    /// An operator has asked for it to be accepted again, and the daemon has not come to it.
    public var waitsForRetry: Bool

    /// Why it cannot be accepted again; nil when it can be tried.
    public var obstacle: String? {
        if letter.reason == .journalDamaged { return "it is a damaged piece of the journal" }
        if letter.payload.count < letter.payloadSize { return "only the beginning of its payload is kept" }
        return nil
    }

    /// SQL: whether a letter has an `obstacle`.
    static let hasObstacle =
        "(reason = '\(Rejection.Reason.journalDamaged.rawValue)' OR length(payload) < payload_size)"

    /// Cast, so that a damaged file can make no value of another type.
    static let columns = """
        id, \(cast("received_at", "INTEGER")), \(cast("topic", "TEXT")), \(cast("reason", "TEXT")),
        \(cast("detail", "TEXT")), \(cast("payload", "BLOB")), \(cast("payload_size", "INTEGER")),
        CAST(overwrite AS TEXT), origin IS NOT NULL, retry IS 1
        """

    private static func cast(_ column: String, _ type: String) -> String {
        "coalesce(CAST(\(column) AS \(type)), CAST('' AS \(type)))"
    }

    /// - Parameter row: of `columns`.
    init(row: Row) {
        id = row[0]
        letter = DeadLetter(
            receivedAt: Timestamp(microseconds: row[1]), topic: row[2], payload: Array(row[5] as Data),
            payloadSize: row[6], reason: Rejection.Reason(rawValue: row[3]) ?? .journalDamaged, detail: row[4],
            overwrite: row[7])
        wasAccepted = row[8]
        waitsForRetry = row[9]
    }
}
