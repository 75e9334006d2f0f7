import Foundation
import GRDB

/// Looks into the daemon's journal, as an operator would with sqlite3.
struct JournalReader {
    struct DeadLetter {
        var id: Int64
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
    /// - Parameter id: of the last one that is known already.
    func deadLetters(after id: Int64) throws -> [DeadLetter] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT id, topic, reason, detail, payload FROM dead_letter WHERE id > ? ORDER BY id",
                arguments: [id]
            ).map { DeadLetter(id: $0[0], topic: $0[1], reason: $0[2], detail: $0[3], payload: $0[4]) }
        }
    }

    /// Moves what the write-ahead log holds into the file. The daemon must not run.
    func checkpoint() throws {
        try DatabaseQueue(path: path).writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
    }

    private func read<R>(_ body: (Database) throws -> R) throws -> R {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        return try DatabaseQueue(path: path, configuration: configuration).read(body)
    }
}
