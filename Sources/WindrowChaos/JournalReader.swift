import Foundation
import GRDB

/// Looks into the daemon's journal, as an operator would with sqlite3.
struct JournalReader {
    struct DeadLetter {
        var topic: String
        var reason: String
        var detail: String
        var payload: Data

        /// Times and values of the points in the payload, if it has some that can be read.
        var points: [(time: String, value: Double)] {
            let json = try? JSONSerialization.jsonObject(with: payload)
            let data = (json as? [String: Any])?["data"] as? [[String: Any]] ?? []
            return data.compactMap { point in
                guard let time = point["ts"] as? String, let value = point["v"] as? Double else { return nil }
                return (time, value)
            }
        }
    }

    private let path: String

    init(_ path: String) {
        self.path = path
    }

    func batchCount() throws -> Int {
        try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM batch") ?? 0 }
    }

    /// Oldest first.
    func deadLetters() throws -> [DeadLetter] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT topic, reason, detail, payload FROM dead_letter ORDER BY id")
                .map { DeadLetter(topic: $0[0], reason: $0[1], detail: $0[2], payload: $0[3]) }
        }
    }

    private func read<R>(_ body: (Database) throws -> R) throws -> R {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        return try DatabaseQueue(path: path, configuration: configuration).read(body)
    }
}
