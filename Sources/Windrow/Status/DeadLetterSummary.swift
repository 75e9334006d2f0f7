import GRDB

/// The dead letters of one reason, as the status page shows them: how many there are, and the newest ones in a form that is safe to
/// show, whatever a sender has put into them.
struct DeadLetterSummary: Sendable, Encodable {
    struct Example: Sendable, Encodable {
        var id: Int64
        var receivedAt: String
        var topic: String
        var detail: String
        /// The beginning of the payload.
        var payload: String
        /// Bytes of the whole payload.
        var payloadSize: Int
    }

    var reason: String
    var count: Int
    var examples: [Example]

    /// Bytes shown of a topic or a detail, and of a payload.
    private static let longestText = 300
    private static let longestPayload = 200

    /// The most frequent reason first.
    static func all(in journal: Journal, examples: Int) async throws(JournalError) -> [DeadLetterSummary] {
        try await journal.readAside("read the dead letters") { db in
            let counts = try Row.fetchAll(
                db, sql: "SELECT CAST(reason AS TEXT), count(*) FROM dead_letter GROUP BY reason ORDER BY 2 DESC, 1")
            return try counts.map { row in
                let reason: String = row[0]
                let newest = try Row.fetchAll(
                    db,
                    sql: """
                        SELECT id, CAST(received_at AS INTEGER), substr(CAST(topic AS BLOB), 1, \(longestText + 1)),
                            substr(CAST(detail AS BLOB), 1, \(longestText + 1)),
                            substr(CAST(payload AS BLOB), 1, \(longestPayload + 1)), CAST(payload_size AS INTEGER)
                        FROM dead_letter WHERE reason = ? ORDER BY id DESC LIMIT \(examples)
                        """, arguments: [reason])
                return DeadLetterSummary(reason: reason, count: row[1], examples: try newest.map(Example.init(row:)))
            }
        }
    }
}

extension DeadLetterSummary.Example {
    fileprivate init(row: Row) throws {
        id = row[0]
        receivedAt = "\(Timestamp(microseconds: row[1] ?? 0))"
        topic = try Self.text(row, 2, DeadLetterSummary.longestText)
        detail = try Self.text(row, 3, DeadLetterSummary.longestText)
        payload = try Self.text(row, 4, DeadLetterSummary.longestPayload)
        payloadSize = row[5] ?? 0
    }

    private static func text(_ row: Row, _ place: Int, _ limit: Int) throws -> String {
        try row.withUnsafeData(atIndex: place) { data in
            (data ?? .init()).withUnsafeBytes { String(excerptOf: $0, limit: limit, escapesQuotes: false) }
        }
    }
}
