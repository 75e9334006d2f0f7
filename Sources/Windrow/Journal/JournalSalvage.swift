import Foundation
import GRDB

// Copies what can be read of a damaged journal into a new one, before anything new is accepted, so that the order of acceptance
// stays what it was. The journal keeps its UUID: what the lanes have committed is known by its positions and is not written again.
// That matters for more than the work: on a page that had been freed there may be batches of long ago, which would undo what came
// after them.
//
// Positions that cannot be read are named in a dead letter. A batch that SQLite can read and that is damaged all the same fails its
// checksum when it is its turn.

/// Saves what a damaged journal holds.
struct JournalSalvage {
    struct Report: Equatable {
        var batches = 0
        /// Positions that were given to batches and cannot be read. Those that PostgreSQL has already are counted too.
        var unreadable = 0
        var deadLetters = 0
    }

    private let target: Database
    private let name: String
    private let noted: JournalLock.Noted?

    /// Added to the last position that was found when nobody knows which one was the last: none may be used twice.
    private static let positionGap: Int64 = 1_000_000

    /// - Parameters:
    ///   - target: a new journal.
    ///   - name: what the damaged file will be called.
    ///   - noted: what the file beside the journal tells of it; counts where the journal itself cannot be read.
    init(into target: Database, named name: String, noted: JournalLock.Noted?) {
        self.noted = noted
        self.target = target
        self.name = name
    }

    func run(from path: String) throws -> Report {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        // Without this, SQLite reads nothing of a file that is shorter than it says.
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA writable_schema = ON") }
        // Not to be had when the file is no database at all, or its first page is gone.
        guard let source = try readable({ try DatabaseQueue(path: path, configuration: configuration) }) else {
            return Report()
        }
        let report = try source.writeWithoutTransaction { source in
            var report = Report()
            try target.inTransaction {
                if let uuid = try readable({ try JournalFile.uuid(source) }) ?? noted?.journal {
                    try target.execute(sql: "UPDATE journal SET uuid = ?", arguments: ["\(uuid)"])
                }
                // In this order: the letters keep their numbers, and new ones come behind them.
                try saveDeadLetters(source, &report)
                try saveBatches(source, &report)
                for row in try readable({ try Row.fetchAll(source, sql: "SELECT session, filter FROM subscription") })
                    ?? []
                {
                    try target.execute(
                        sql: "INSERT OR IGNORE INTO subscription (session, filter) VALUES (?, ?)",
                        arguments: StatementArguments(row.databaseValues))
                }
                return .commit
            }
            return report
        }
        _ = try readable { try source.close() }
        return report
    }

    private func saveBatches(_ source: Database, _ report: inout Report) throws {
        let last = try lastKey(of: "batch", source)
        let keys = try keys("position", of: "batch", upTo: last, source)
        var (unreadable, end) = (keys.unreadable + keys.missing, keys.lastUnreadable)
        if keys.missing > 0, end == nil { end = keys.found.first }
        for position in keys.found.reversed() {
            let row = try readable {
                try Row.fetchOne(
                    source,
                    sql: "SELECT position, points, body FROM batch WHERE position = ? AND typeof(body) = 'blob'",
                    arguments: [position])
            }
            guard let row else {
                unreadable += 1
                end = max(end ?? 0, position)
                continue
            }
            try target.execute(
                sql: "INSERT OR IGNORE INTO batch (position, points, body) VALUES (?, ?, ?)",
                arguments: StatementArguments(row.databaseValues))
            report.batches += 1
        }
        let highest = keys.found.first ?? 0
        // At the end, a page may be gone that led to the newest; where there are none, it may have been all that was not trimmed.
        if let last, last > max(highest, keys.lastUnreadable ?? 0) {
            let isCounted = highest > 0 && last - highest < Self.positionGap
            unreadable += isCounted ? Int(last - highest) : 1
            end = last
        }
        report.unreadable = unreadable
        try setSequence(last.flatMap { $0 >= highest ? $0 : nil } ?? highest + Self.positionGap, of: "batch")
        if let end { try Self.tell(unreadable, upTo: end, name, target) }
    }

    /// Keeps a dead letter that says how many batches are missing.
    static func tell(_ count: Int, upTo end: Int64, _ name: String, _ db: Database) throws {
        let what =
            "at least \(count) batches, up to position \(end), are missing or cannot be read; "
            + "those that were not in PostgreSQL yet are lost"
        try tell(what, upTo: end, name, db)
    }

    private static func tell(_ what: String, upTo end: Int64, _ name: String, _ db: Database) throws {
        let rejection = Rejection(.journalDamaged, "\(what) (\(name))")
        let letter = DeadLetter(
            receivedAt: .now, topic: "journal",
            payload: UnsafeRawBufferPointer(start: nil, count: 0), rejection: rejection)
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO dead_letter
                    (received_at, topic, reason, detail, payload, payload_size, bytes, origin)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                letter.receivedAt.microseconds, letter.topic, letter.reason.rawValue, letter.detail,
                Data(letter.payload), letter.payloadSize, letter.byteCount, "\(name) \(end) \(what.prefix(20))",
            ])
    }

    private func saveDeadLetters(_ source: Database, _ report: inout Report) throws {
        let version = try readable { try Int.fetchOne(source, sql: "PRAGMA user_version") } ?? 0
        let columns =
            "id, received_at, topic, reason, detail, payload, payload_size, bytes, origin"
            + (version >= 2 ? ", overwrite, retry" : "")
        let marks = columns.split(separator: ",").map { _ in "?" }.joined(separator: ",")
        let last = try lastKey(of: "dead_letter", source)
        let keys = try keys("id", of: "dead_letter", upTo: last, source)
        var unreadable = keys.unreadable
        for id in keys.found.reversed() {
            let row = try readable {
                try Row.fetchOne(source, sql: "SELECT \(columns) FROM dead_letter WHERE id = ?", arguments: [id])
            }
            if let row {
                try target.execute(
                    sql: "INSERT OR IGNORE INTO dead_letter (\(columns)) VALUES (\(marks))",
                    arguments: StatementArguments(row.databaseValues))
            }
            if row != nil, target.changesCount > 0 { report.deadLetters += 1 } else { unreadable += 1 }
        }
        try setSequence(max(last ?? 0, keys.found.first ?? 0), of: "dead_letter")
        if unreadable > 0 { try Self.tell("\(unreadable) dead letters cannot be read", upTo: last ?? 0, name, target) }
    }

    private func keys(_ key: String, of table: String, upTo last: Int64?, _ source: Database) throws -> ReadableKeys {
        // Either may be damaged: the end of the table, and the last key that was given away.
        let highest = try readable { try Int64.fetchOne(source, sql: "SELECT max(\(key)) FROM \(table)") }
        let end = [highest, last].compactMap(\.self).max() ?? Self.positionGap
        var failure: (any Error)?
        let keys = ReadableKeys(downFrom: end) { wanted in
            if failure != nil { return .nothing }
            do {
                let found = try Int64.fetchOne(
                    source, sql: "SELECT \(key) FROM \(table) WHERE \(key) <= ? ORDER BY \(key) DESC LIMIT 1",
                    arguments: [wanted])
                guard let found else { return .nothing }
                // A key that is out of its place is part of the damage.
                return found > 0 && found <= wanted ? .key(found) : .damaged
            } catch let error as DatabaseError where Self.isDamage(error) {
                return .damaged
            } catch {
                failure = error
                return .nothing
            }
        }
        if let failure { throw failure }
        return keys
    }

    private func lastKey(of table: String, _ source: Database) throws -> Int64? {
        try readable {
            try Int64.fetchOne(
                source, sql: "SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = ?", arguments: [table])
        }
    }

    private func setSequence(_ last: Int64, of table: String) throws {
        try target.execute(sql: "DELETE FROM sqlite_sequence WHERE name = ?", arguments: [table])
        try target.execute(sql: "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", arguments: [table, last])
    }

    /// nil for what is not there or is damaged. Any other error says nothing about the file, such as that of a full disk.
    private func readable<R>(_ body: () throws -> R?) throws -> R? {
        do {
            return try body()
        } catch let error as DatabaseError where Self.isDamage(error) {
            return nil
        } catch is RowDecodingError {
            return nil
        }
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
        [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
            || [.SQLITE_IOERR_READ, .SQLITE_IOERR_SHORT_READ, .SQLITE_IOERR_DATA].contains(error.extendedResultCode)
            // The schema is part of what can be damaged.
            || error.resultCode == .SQLITE_ERROR
    }
}
