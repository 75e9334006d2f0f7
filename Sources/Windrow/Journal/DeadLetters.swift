import Foundation
import GRDB

// The operator's side of the dead letters: a second process, which works on the journal's file beside the daemon or without it.
//
// The file is in WAL mode, so that neither keeps the other from reading. Writes are short and wait for one another. What the daemon
// knows of the file by heart, it counts anew when it sees that somebody else has changed it (`Journal.noticeOthers`).

/// A domain's dead letters, for an operator's command.
public final class DeadLetters {
    private let queue: DatabaseQueue
    /// Held as long as no daemon runs: one that starts waits until the command is done.
    private let lock: JournalLockHolder?

    /// Rows changed in one transaction: the daemon must not wait for long.
    private static let step = 500

    /// nil when the domain has no journal yet.
    /// - Throws: `JournalError`: the file cannot be used by this user, is damaged, or is of another version.
    public init?(of domain: String, _ journal: JournalConfiguration) throws(JournalError) {
        let folder = journal.directory + "/" + domain
        let path = folder + "/" + JournalFile.name
        guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
        do throws(JournalError) {
            lock = JournalLockHolder(try JournalLock(folder: folder))
        } catch {
            guard error.kind == .locked else { throw error }
            lock = nil
        }
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            db.add(function: DeadLetterFilter.matchTopic)
            // Overwriting what is dropped would fill the write-ahead log.
            try db.execute(sql: "PRAGMA secure_delete = OFF")
        }
        do {
            if lock != nil { try JournalLog.checkBesideNone(path) }
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { try JournalFile.checkFormat($0) }
        } catch {
            throw JournalError(error, operation: "open \(path)")
        }
    }

    /// Whether a daemon has the journal open.
    public var isDaemonRunning: Bool { lock == nil }

    /// How many letters there are of each reason, the most frequent first.
    public func counts(_ filter: DeadLetterFilter) throws(JournalError) -> [(reason: String, count: Int)] {
        let (condition, arguments) = filter.condition
        return try perform("count the dead letters") {
            try queue.read { db in
                try Row.fetchAll(
                    db,
                    sql: "SELECT reason, count(*) FROM dead_letter WHERE \(condition) GROUP BY 1 ORDER BY 2 DESC, 1",
                    arguments: arguments
                ).map { ($0[0], $0[1]) }
            }
        }
    }

    /// Gives the letters one by one, the newest first.
    public func forEach(
        _ filter: DeadLetterFilter, limit: Int, _ body: (StoredDeadLetter) throws -> Void
    ) throws {
        let (condition, arguments) = filter.condition
        let ids = try perform("list the dead letters") {
            try queue.read { db in
                try Int64.fetchAll(
                    db, sql: "SELECT id FROM dead_letter WHERE \(condition) ORDER BY id DESC LIMIT \(limit)",
                    arguments: arguments)
            }
        }
        for id in ids {
            let stored = try perform("read a dead letter") {
                try queue.read { db in
                    try Row.fetchOne(
                        db, sql: "SELECT \(StoredDeadLetter.columns) FROM dead_letter WHERE id = \(id)"
                    ).map(StoredDeadLetter.init(row:))
                }
            }
            if let stored { try body(stored) }
        }
    }

    /// Deletes letters for good.
    /// - Returns: how many.
    public func drop(_ filter: DeadLetterFilter) throws(JournalError) -> Int {
        try change("DELETE FROM dead_letter", filter, "drop dead letters").count
    }

    /// Marks letters to be accepted again, which the daemon does as soon as it runs.
    /// - Returns: the ones that were marked, and how many cannot be retried: they are damaged, or kept in part.
    public func askForRetry(_ filter: DeadLetterFilter) throws(JournalError) -> (marked: [Int64], hopeless: Int) {
        let (condition, arguments) = filter.condition
        let hopeless = try perform("count the dead letters") {
            try queue.read { db in
                try Int.fetchOne(
                    db, sql: "SELECT count(*) FROM dead_letter WHERE \(condition) AND \(StoredDeadLetter.hasObstacle)",
                    arguments: arguments) ?? 0
            }
        }
        let marked = try change(
            "UPDATE dead_letter SET retry = 1", filter, and: "retry = 0 AND NOT \(StoredDeadLetter.hasObstacle)",
            "mark dead letters")
        return (marked, hopeless)
    }

    /// Letters that are marked and that the daemon has not come to.
    public func waitingForRetry() throws(JournalError) -> Int {
        try perform("count the dead letters") {
            try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM dead_letter WHERE retry = 1") ?? 0 }
        }
    }

    /// Which of the letters are there.
    public func present(of ids: [Int64]) throws(JournalError) -> Set<Int64> {
        if ids.isEmpty { return [] }
        let all = try perform("count the dead letters") {
            try queue.read { try Int64.fetchSet($0, sql: "SELECT id FROM dead_letter") }
        }
        return all.intersection(ids)
    }

    /// Applies a statement to the letters that are there now, a few at a time; answers which.
    private func change(
        _ statement: String, _ filter: DeadLetterFilter, and further: String = "1", _ operation: String
    ) throws(JournalError) -> [Int64] {
        let (condition, arguments) = filter.condition
        return try perform(operation) {
            var (after, changed) = (Int64(0), [Int64]())
            while true {
                let ids = try queue.read { db in
                    try Int64.fetchAll(
                        db,
                        sql: """
                            SELECT id FROM dead_letter WHERE \(condition) AND \(further) AND id > \(after)
                            ORDER BY id LIMIT \(Self.step)
                            """, arguments: arguments)
                }
                guard let last = ids.last else { return changed }
                try queue.write { db in
                    try db.execute(sql: "\(statement) WHERE id IN (\(ids.map(String.init).joined(separator: ",")))")
                }
                changed += ids
                after = last
            }
        }
    }

    private func perform<R>(_ operation: String, _ body: () throws -> R) throws(JournalError) -> R {
        do {
            return try body()
        } catch {
            throw JournalError(error, operation: operation)
        }
    }
}

/// What a class needs to hold a value that cannot be copied, or none.
private final class JournalLockHolder {
    private let lock: JournalLock

    init(_ lock: consuming JournalLock) {
        self.lock = lock
    }
}
