import Foundation
import GRDB

extension Journal {
    /// Stores dead letters found after acceptance. `origin` names what each is about: one that is there already, because a crash
    /// made the daemon come there twice, is kept once.
    ///
    /// Their points were acknowledged, so these letters never make room for others: when there is no room, it throws `full`.
    func append(deadLetters: [(letter: DeadLetter, origin: String?)]) throws(JournalError) {
        do throws(JournalError) {
            try write("keep a dead letter") { try store(deadLetters, $0) }
        } catch {
            guard error.kind == .full else { throw error }
            ballast.drop()
            defer { ballast.restore() }
            try write("keep a dead letter") { try store(deadLetters, $0) }
        }
        note(came: deadLetters.map(\.letter))
    }

    /// Part of a transaction: stores dead letters, and drops the oldest of those that may go while there are too many.
    func store(_ letters: [(letter: DeadLetter, origin: String?)], _ db: Database) throws {
        if letters.isEmpty { return }
        var bytes =
            try usage.withLock { $0.deadLetterBytes }
            ?? Int.fetchOne(db, sql: "SELECT coalesce(sum(bytes), 0) FROM dead_letter") ?? 0
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO dead_letter
                    (received_at, topic, reason, detail, payload, payload_size, bytes, origin, overwrite)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for (letter, origin) in letters {
            if let origin { bytes -= try remove(origin, db) }
            try insert.execute(arguments: [
                letter.receivedAt.microseconds, letter.topic, letter.reason.rawValue, letter.detail,
                Data(letter.payload), letter.payloadSize, letter.byteCount, origin, letter.overwrite,
            ])
            bytes += letter.byteCount
        }
        let limit = bounds.current.maxDeadLetters
        let dropped = try makeRoom(&bytes, limit, db)
        if bytes > limit, letters.contains(where: { $0.origin != nil }) {
            throw JournalError(
                kind: .full, operation: "keep a dead letter", code: nil, message: "journal.max_dead_letters is reached",
                hint: "raise journal.max_dead_letters: these letters hold points that were acknowledged")
        }
        usage.withLock {
            $0.deadLetterBytes = bytes
            $0.deadLettersDropped += dropped
            $0.deadLettersChanged = true
        }
    }

    /// A letter that is there already gives way: in the order of a retry the latest refusal counts.
    /// - Returns: the bytes that it took.
    private func remove(_ origin: String, _ db: Database) throws -> Int {
        let bytes = try Int.fetchOne(
            db, sql: "SELECT coalesce(CAST(bytes AS INTEGER), 0) FROM dead_letter WHERE origin = ?", arguments: [origin]
        )
        if bytes != nil { try db.execute(sql: "DELETE FROM dead_letter WHERE origin = ?", arguments: [origin]) }
        return bytes ?? 0
    }

    private func makeRoom(_ bytes: inout Int, _ limit: Int, _ db: Database) throws -> Int {
        let oldest = try db.cachedStatement(
            sql:
                "SELECT id, coalesce(CAST(bytes AS INTEGER), 0) FROM dead_letter WHERE origin IS NULL ORDER BY id LIMIT 1"
        )
        let drop = try db.cachedStatement(sql: "DELETE FROM dead_letter WHERE id = ?")
        var dropped = 0
        while bytes > limit, let row = try Row.fetchOne(oldest) {
            try drop.execute(arguments: [row[0] as Int64])
            bytes -= row[1] as Int
            dropped += 1
        }
        return dropped
    }

    /// The newest dead letters, newest first.
    func deadLetters(limit: Int) throws(JournalError) -> [StoredDeadLetter] {
        try letters("ORDER BY id DESC LIMIT \(limit)")
    }

    // MARK: Counting

    /// Dead letters that came since the journal was opened, by reason.
    var deadLettersCame: [Rejection.Reason: Int] { usage.withLock { $0.deadLettersCame } }
    /// Dead letters that are in the journal, as of the last count.
    var deadLettersKept: Int { usage.withLock { $0.deadLettersKept } }
    /// Dead letters that made room for newer ones since the journal was opened.
    var deadLettersDropped: Int { usage.withLock { $0.deadLettersDropped } }

    /// Comes after they are on the disk.
    func note(came letters: [DeadLetter]) {
        if letters.isEmpty { return }
        usage.withLock { usage in
            for letter in letters { usage.deadLettersCame[letter.reason, default: 0] += 1 }
        }
    }

    /// Counts the dead letters if there may be more or fewer of them than at the last count.
    func countDeadLetters() throws(JournalError) {
        // Taken back before it is looked: what changes meanwhile is counted the next time.
        let mustCount = usage.withLock { usage in
            defer { usage.deadLettersChanged = false }
            return usage.deadLettersChanged
        }
        guard mustCount else { return }
        do throws(JournalError) {
            let count = try read("count the dead letters") {
                try Int.fetchOne($0, sql: "SELECT count(*) FROM dead_letter") ?? 0
            }
            usage.withLock { $0.deadLettersKept = count }
        } catch {
            usage.withLock { $0.deadLettersChanged = true }
            throw error
        }
    }

    // MARK: Retrying

    /// Letters that an operator wants to have accepted again, the oldest first.
    func lettersToRetry(limit: Int) throws(JournalError) -> [StoredDeadLetter] {
        try letters("WHERE retry = 1 ORDER BY id LIMIT \(limit)")
    }

    /// A letter was tried again in vain.
    func refusedAgain(_ id: Int64, _ rejection: Rejection) throws(JournalError) {
        try write("keep a dead letter") { db in
            try db.execute(
                sql: "UPDATE dead_letter SET retry = 0, reason = ?, detail = ? WHERE id = ?",
                arguments: [rejection.reason.rawValue, rejection.whole, id])
        }
    }

    /// Part of a transaction: removes letters whose points are accepted in it.
    func remove(letters: [Int64], _ db: Database) throws {
        for id in letters { try db.execute(sql: "DELETE FROM dead_letter WHERE id = ?", arguments: [id]) }
        if letters.isEmpty { return }
        usage.withLock {
            $0.deadLetterBytes = nil
            $0.deadLettersChanged = true
        }
    }

    private func letters(_ clause: String) throws(JournalError) -> [StoredDeadLetter] {
        try read("read the dead letters") { db in
            try Row.fetchAll(db, sql: "SELECT \(StoredDeadLetter.columns) FROM dead_letter \(clause)")
                .map(StoredDeadLetter.init(row:))
        }
    }
}
