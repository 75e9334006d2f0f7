import Foundation
import GRDB

// The operator's look at the journal: a second process, which reads the file beside the daemon or without it, and never changes it.
//
// Each read is a short one of its own, so that a daemon which starts or writes meanwhile is not held up. What the daemon trims between
// two reads is in PostgreSQL, and is not shown.

/// What a domain's journal holds.
public final class JournalView {
    /// A batch as it is read.
    struct Item {
        var position: JournalPosition
        /// nil when it is damaged.
        var batch: RecordBatch?
        /// As the file has it, also of a damaged batch.
        var points: Int
    }

    /// Names the journal in the table `progress`.
    let uuid: NodeUUID
    /// What PostgreSQL has of it, as its daemon knew it last.
    let note: CommittedNote?
    /// Whether a daemon had it open a moment ago.
    public let isDaemonRunning: Bool
    public let path: String
    private let queue: DatabaseQueue

    /// nil when the domain has no journal yet.
    /// - Throws: `JournalError`: the file cannot be used by this user, is damaged, or is of another version.
    public init?(of domain: String, _ journal: JournalConfiguration) throws(JournalError) {
        let folder = journal.directory + "/" + domain
        path = folder + "/" + JournalFile.name
        guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
        do throws(JournalError) {
            // Given back at once: a daemon may start meanwhile.
            _ = try JournalLock(folder: folder)
            isDaemonRunning = false
        } catch {
            guard error.kind == .locked else { throw error }
            isDaemonRunning = true
        }
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        do {
            if !isDaemonRunning { try JournalLog.checkBesideNone(path) }
            queue = try DatabaseQueue(path: path, configuration: configuration)
            let found = try queue.read { db in
                try JournalFile.checkFormat(db)
                return try JournalFile.uuid(db)
            }
            guard let found else {
                throw JournalError(
                    kind: .failed, operation: "read it", code: nil, message: "its UUID is gone",
                    hint: "start windrow: it sets the file aside and saves what can be read")
            }
            uuid = found
            note = CommittedNote.read(in: folder).flatMap { $0.journal == found ? $0 : nil }
        } catch {
            throw JournalError(error, operation: "open \(path)")
        }
    }

    /// Bytes that the file and its log take on the disk.
    public var size: Int {
        [path, path + "-wal"].reduce(0) { sum, file in
            var status = stat()
            return stat(file, &status) == 0 ? sum + Int(status.st_size) : sum
        }
    }

    public func deadLetterCount() throws(JournalError) -> Int {
        try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM dead_letter") ?? 0 }
    }

    func batchCount(through position: JournalPosition) throws(JournalError) -> Int {
        try read {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM batch WHERE position <= ?", arguments: [position.number])
                ?? 0
        }
    }

    /// Gives the batches after a position, in their order.
    func forEach(after position: JournalPosition, _ body: (Item) throws -> Void) throws {
        var position = position
        while let item = try next(after: position) {
            try body(item)
            position = item.position
        }
    }

    private func next(after position: JournalPosition) throws(JournalError) -> Item? {
        try read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT position, CASE typeof(body) WHEN 'blob' THEN body END, CAST(points AS INTEGER) FROM batch
                    WHERE position > ? ORDER BY position LIMIT 1
                    """, arguments: [position.number])
            guard let row else { return nil }
            return try row.withUnsafeData(atIndex: 1) { body in
                (body ?? Data()).withUnsafeBytes { bytes in
                    var batch: RecordBatch?
                    do throws(RecordBatch.DecodingError) {
                        batch = try RecordBatch(encoded: bytes)
                    } catch {
                        // The caller tells.
                    }
                    return Item(
                        position: JournalPosition(row[0]), batch: batch,
                        points: Int(UInt32(clamping: row[2] as Int64? ?? 0)))
                }
            }
        }
    }

    private func read<R>(_ body: (Database) throws -> R) throws(JournalError) -> R {
        do {
            return try queue.read(body)
        } catch {
            throw JournalError(error, operation: "read \(path)")
        }
    }
}
