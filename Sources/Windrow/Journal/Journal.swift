import Foundation
import GRDB
import Logging
import Synchronization

/// A domain's durable FIFO of accepted records, with its dead letters: what `append` has returned for is on the disk.
///
/// Safe to use from any thread: SQLite's single writer is the only order there is.
final class Journal: Sendable {
    /// A batch read back.
    struct StoredBatch: Sendable {
        var position: JournalPosition
        var batch: RecordBatch
        /// How many points a damaged batch had, which is a dead letter and no more in `batch`.
        var damagedPoints = 0
        /// When the first of its records was received; the journal itself does not tell.
        var receivedAt: ContinuousClock.Instant?
    }

    /// Names this journal in the database's `progress` table.
    var uuid: NodeUUID { name.withLock { $0 } }
    /// The last position that was given away before the journal was opened.
    let lastPositionAtOpen: JournalPosition

    private let pool: DatabasePool
    private let lock: JournalLock
    /// The domain's.
    let folder: String
    /// What PostgreSQL had when the journal was opened; nil when it is not known.
    let noteAtOpen: CommittedNote?
    let log: Logger
    let bounds: Live<Bounds>
    let ballast: JournalBallast
    let usage: Mutex<Usage>
    private let name: Mutex<NodeUUID>

    /// What the journal may take up.
    struct Bounds: Sendable {
        /// Bytes that batches and dead letters may take together.
        var maxSize: Int
        /// How long batches stay that PostgreSQL has. They give way when others need the room.
        var keep = Duration.zero
        /// Bytes that dead letters may take; past them the oldest go first.
        var maxDeadLetters: Int
    }

    /// What the journal takes up, and whether it takes more.
    struct Usage {
        var bytes: Int
        /// nil: to be counted anew.
        var deadLetterBytes: Int?
        /// Batches up to here are gone.
        var trimmed = JournalPosition.start
        /// Batches up to here are in PostgreSQL, and kept.
        var keptThrough = JournalPosition.start
        var keptBytes = 0
        /// Kept batches had to go before their time.
        var hasYielded = false
        var deadLettersDropped = 0
        /// By reason, since the journal was opened.
        var deadLettersCame: [Rejection.Reason: Int] = [:]
        /// In the journal, when they were last counted.
        var deadLettersKept = 0
        /// There may be more or fewer of them now.
        var deadLettersChanged = true
        var isFull = false
        /// Changes when another process changes the file (SQLite's `data_version`).
        var versionOfOthers: Int?
        /// The disk was full: until then there is no use in trying.
        var blockedUntil: ContinuousClock.Instant?
    }

    /// The write-ahead log is checkpointed at 4 MiB (SQLite's default of 1000 pages), and one batch more may be in it.
    private static let ballastSize = 16 << 20

    /// How long a full disk is left alone.
    private static let diskFullPause = Duration.seconds(5)

    /// The share of `maxSize` that a full journal must lose before it takes batches again.
    private static let hysteresis = 0.1

    /// Opens the journal in `folder`, which is made if it is not there.
    init(folder: String, bounds: Bounds, log: Logger) throws(JournalError) {
        let isNew = access(folder, F_OK) != 0
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
        } catch {
            throw JournalError(
                kind: .unusable, operation: "make the folder \(folder)", code: nil, message: error.localizedDescription,
                hint: "make the folder in journal.directory writable for the user that runs windrow")
        }
        // What is acknowledged must be found under its folder's name after a power cut, too.
        if isNew { try JournalFile.syncFolder(of: folder) }
        lock = try JournalLock(folder: folder, patience: .seconds(2))
        ballast = JournalBallast(folder: folder, size: min(Self.ballastSize, bounds.maxSize / 8))
        let (pool, setAside) = try Self.openFile(folder, ballast, lock.noted)
        if let setAside {
            var metadata: Logger.Metadata = ["file": "\(folder)/\(setAside.file)", "damage": "\(setAside.why)"]
            if let saved = setAside.saved {
                metadata["batches saved"] = "\(saved.batches)"
                metadata["unreadable"] = "\(saved.unreadable)"
                metadata["dead letters saved"] = "\(saved.deadLetters)"
            }
            log.critical(
                setAside.saved == nil
                    ? "the journal's write-ahead log was damaged and is kept aside; it was read to its end all the same"
                    : "the journal was damaged and is set aside; what could be read of it goes on in a new one",
                metadata: metadata)
        }
        ballast.restore()
        self.pool = pool
        self.log = log
        self.folder = folder
        self.bounds = Live(bounds)
        do {
            let (uuid, last, bytes, first) = try pool.read { db in
                (
                    try JournalFile.uuid(db), try JournalFile.lastPosition(db), try Self.usedBytes(db),
                    try Int64.fetchOne(db, sql: "SELECT min(position) FROM batch")
                )
            }
            guard let uuid, let last else {
                throw JournalError(
                    kind: .failed, operation: "open the journal", code: nil,
                    message: "its UUID or last position is gone",
                    hint: nil)
            }
            name = Mutex(uuid)
            lastPositionAtOpen = JournalPosition(try Self.tellLoss(pool, lock.noted, uuid, last, log))
            noteAtOpen = CommittedNote.read(in: folder).flatMap { $0.journal == uuid ? $0 : nil }
            // The note may be behind.
            let gone = JournalPosition(first.map { $0 - 1 } ?? last)
            // Before PostgreSQL is reached, too, it gives way to what comes in.
            let kept = min(noteAtOpen?.through ?? .start, lastPositionAtOpen)
            let keptBytes = try pool.read { try Self.bytes(after: .start, through: kept, $0) }
            usage = Mutex(
                Usage(
                    bytes: bytes, trimmed: max(noteAtOpen?.trimmed ?? .start, gone), keptThrough: kept,
                    keptBytes: keptBytes))
        } catch {
            throw JournalError(error, operation: "read the journal")
        }
        lock.note(lastPositionAtOpen, of: uuid)
    }

    /// Compares the journal with the note of what was in it last, and tells the log and the dead letters when something is gone.
    /// - Returns: the last position that was given away.
    private static func tellLoss(
        _ pool: DatabasePool, _ noted: JournalLock.Noted?, _ uuid: NodeUUID, _ last: Int64,
        _ log: Logger
    ) throws -> Int64 {
        guard let noted, noted.position.number > 0 else { return last }
        if noted.journal != uuid {
            log.critical(
                "this is not the journal that was here before; what that held and was not in PostgreSQL yet is lost",
                metadata: ["journal": "\(noted.journal)", "last position": "\(noted.position.number)"])
            try pool.write { try JournalSalvage.tell(1, upTo: noted.position.number, "journal \(noted.journal)", $0) }
        } else if noted.position.number > last {
            log.critical(
                "the journal has lost its end; what was there and not in PostgreSQL yet is lost",
                metadata: ["positions": "\(last + 1) to \(noted.position.number)"])
            try pool.write { db in
                try JournalSalvage.tell(
                    Int(noted.position.number - last), upTo: noted.position.number, "end of the journal", db)
                // None is given away twice.
                try db.execute(
                    sql: "UPDATE sqlite_sequence SET seq = ? WHERE name = 'batch'", arguments: [noted.position.number])
            }
            return noted.position.number
        }
        return last
    }

    /// Room for what intake may read next. Once full, the answer stays no until a tenth of `maxSize` is free again.
    var hasRoom: Bool {
        if usage.withLock({ isFull($0) }) { makeRoom() }
        return usage.withLock { usage in
            if let until = usage.blockedUntil {
                // Nothing more until the journal could be emptied again if the disk filled up once more.
                guard .now >= until else { return false }
                guard ballast.restore() else {
                    usage.blockedUntil = .now + Self.diskFullPause
                    return false
                }
                usage.blockedUntil = nil
            }
            usage.isFull = isFull(usage)
            return !usage.isFull
        }
    }

    /// Whether intake waits for room, as far as that can be told without trying the disk.
    var isPaused: Bool {
        usage.withLock { usage in
            // Kept batches give way to whoever asks for room.
            var yielded = usage
            yielded.bytes -= usage.keptBytes
            return usage.blockedUntil != nil || isFull(yielded)
        }
    }

    private func isFull(_ usage: Usage) -> Bool {
        let maxSize = bounds.current.maxSize
        let highMark = maxSize - Self.reserve(maxSize)
        return usage.bytes > (usage.isFull ? highMark - Int(Double(maxSize) * Self.hysteresis) : highMark)
    }

    /// Bytes of a message that are accepted at most: a batch that does not fit into an empty journal would come again for ever.
    var largestMessage: Int { bounds.current.maxSize / 32 }
    /// Bytes of messages at which a batch is full.
    var batchSize: Int { min(bounds.current.maxSize / 16, 4 << 20) }

    /// Bytes that may be added before intake pauses, as far as the journal's bound and the disk tell; less than 0 past that.
    var room: Int {
        let maxSize = bounds.current.maxSize
        // Kept batches give way.
        let bound = maxSize - Self.reserve(maxSize) - waitingBytes
        return diskFree.map { min(bound, Self.sum($0, keptBytes)) } ?? bound
    }

    /// A file system without a bound says that all there is is free.
    static func sum(_ a: Int, _ b: Int) -> Int {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? .max : sum
    }

    /// Bytes free on the disk; nil when the system does not tell.
    var diskFree: Int? {
        var disk = statvfs()
        guard statvfs(ballast.path, &disk) == 0 else { return nil }
        let (free, overflow) = Int(clamping: disk.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: disk.f_frsize))
        return overflow ? .max : free
    }

    /// Bytes that batches and dead letters may take together.
    var maxBytes: Int { bounds.current.maxSize }
    /// Bytes in use, dead letters included.
    var usedBytes: Int { usage.withLock { $0.bytes } }

    /// Free pages that the file keeps for the next batches.
    private static let freePagesKept = 2000

    /// Kept free for what is on its way while intake notices that the journal is full.
    private static func reserve(_ maxSize: Int) -> Int { min(maxSize / 8, 16 << 20) }

    /// Stores batches and dead letters in one transaction. When it returns they are on the disk; when it throws, none of them is.
    /// - Parameter retried: dead letters whose points are in the batches, and which go in the same transaction.
    /// - Returns: the positions of the batches, ascending without gaps.
    func append(
        _ batches: [RecordBatch], deadLetters: [DeadLetter] = [], retried: [Int64] = []
    ) throws(JournalError) -> [JournalPosition] {
        let bodies = batches.map { (points: $0.points.count, body: $0.encoded()) }
        let size = bodies.reduce(0) { $0 + $1.body.count } + deadLetters.reduce(0) { $0 + $1.byteCount }
        if usedBytes + size > bounds.current.maxSize { makeRoom() }
        guard usedBytes + size <= bounds.current.maxSize else {
            usage.withLock { $0.isFull = true }
            throw .noRoom
        }
        do throws(JournalError) {
            let positions = try yielding { () throws(JournalError) in
                try write("append to the journal") { db in
                    let insert = try db.cachedStatement(sql: "INSERT INTO batch (points, body) VALUES (?, ?)")
                    var positions: [JournalPosition] = []
                    for (points, body) in bodies {
                        try insert.execute(arguments: [points, body])
                        positions.append(JournalPosition(db.lastInsertedRowID))
                    }
                    try store(deadLetters.map { ($0, nil) }, db)
                    try remove(letters: retried, db)
                    FaultPoint.journalBeforeCommit.pass()
                    return positions
                }
            }
            FaultPoint.journalAfterCommit.pass()
            if let last = positions.last { lock.note(last, of: uuid) }
            note(came: deadLetters)
            return positions
        } catch {
            if error.kind == .full { usage.withLock { $0.blockedUntil = .now + Self.diskFullPause } }
            throw error
        }
    }

    /// Reads batches after a position and up to another, in order, at least one and as many as fit in `byteLimit`; none when there
    /// are no more.
    ///
    /// A batch that fails its checksum is moved to the dead letters, so that it neither blocks those behind it nor is lost.
    func read(
        after position: JournalPosition, through last: JournalPosition = JournalPosition(.max), byteLimit: Int
    ) throws(JournalError) -> [StoredBatch] {
        var stored: [StoredBatch] = []
        var damaged: [(letter: DeadLetter, origin: String?)] = []
        try read("read the journal") { db in
            let rows = try Row.fetchCursor(
                db,
                // A value that is no blob is as damaged as one that fails its checksum.
                sql: """
                    SELECT position, CASE typeof(body) WHEN 'blob' THEN body END, CAST(points AS INTEGER) FROM batch
                    WHERE position > ? AND position <= ? ORDER BY position
                    """,
                arguments: [position.number, last.number])
            var size = 0
            while size < byteLimit, let row = try rows.next() {
                let position = JournalPosition(row[0])
                try row.withUnsafeData(atIndex: 1) { body in
                    (body ?? Data()).withUnsafeBytes { bytes in
                        size += bytes.count
                        do throws(RecordBatch.DecodingError) {
                            stored.append(StoredBatch(position: position, batch: try RecordBatch(encoded: bytes)))
                        } catch {
                            damaged.append(
                                (Self.deadLetter(damaged: bytes, at: position, why: error), "\(position.number)"))
                            let points = Int(UInt32(clamping: row[2] as Int64? ?? 0))
                            stored.append(
                                StoredBatch(position: position, batch: RecordBatch(), damagedPoints: points))
                        }
                    }
                }
            }
        }
        if !damaged.isEmpty {
            log.error(
                "the journal has damaged batches; they are kept as dead letters",
                metadata: ["batches": "\(damaged.count)"])
            try append(deadLetters: damaged)
        }
        return stored
    }

    /// Deletes the batches up to a position: all of them are in PostgreSQL.
    ///
    /// Works on a full disk too, or a journal that has filled it could never be emptied: deleting needs a little room in the
    /// write-ahead log, and the ballast gives enough to move the log into the file and begin it anew.
    /// - Parameter isYielding: kept batches make room. A failover may be found at the same time: what is kept no more then stays.
    func trim(through position: JournalPosition, isYielding: Bool = false) throws(JournalError) {
        do {
            try delete(through: position, isYielding)
            FaultPoint.trimAfter.pass()
            ballast.restore()
        } catch  where error.kind == .full {
            usage.withLock { $0.blockedUntil = .now + Self.diskFullPause }
            ballast.drop()
            try checkpoint()
            try delete(through: position, isYielding)
        }
    }

    /// Gives all free pages back to the disk.
    func giveBack() throws(JournalError) {
        try write("shrink the journal") { try $0.execute(sql: "PRAGMA incremental_vacuum") }
        try checkpoint()
    }

    /// Moves what the write-ahead log holds into the file, and gives the log's room back.
    private func checkpoint() throws(JournalError) {
        do {
            try pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        } catch {
            throw JournalError(error, operation: "checkpoint the journal")
        }
    }

    private func delete(through wanted: JournalPosition, _ isYielding: Bool) throws(JournalError) {
        try write("trim the journal") { db in
            let (kept, through) = usage.withLock { ($0.keptBytes, $0.keptThrough) }
            let position = isYielding ? min(wanted, through) : wanted
            let gone = kept > 0 ? try Self.bytes(after: .start, through: min(position, through), db) : 0
            try db.cachedStatement(sql: "DELETE FROM batch WHERE position <= ?").execute(arguments: [position.number])
            // Before anybody else writes.
            db.afterNextTransaction { [self] _ in
                usage.withLock { usage in
                    usage.keptBytes = max(0, usage.keptBytes - gone)
                    usage.trimmed = max(usage.trimmed, position)
                }
            }
        }
        // Gives the disk back what an outage took, a little at a time.
        try write("shrink the journal") { db in
            if try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0 > Self.freePagesKept {
                try db.execute(sql: "PRAGMA incremental_vacuum(\(Self.freePagesKept))")
            }
        }
    }

    /// Deletes one batch, whose sender is told that it was refused.
    func remove(at position: JournalPosition) throws(JournalError) {
        try write("remove a batch") { db in
            try db.cachedStatement(sql: "DELETE FROM batch WHERE position = ?").execute(arguments: [position.number])
        }
    }

    /// Batches after a position.
    func batchCount(after position: JournalPosition) throws(JournalError) -> Int {
        try read("read the journal") { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM batch WHERE position > ?", arguments: [position.number])
                ?? 0
        }
    }

    /// Tells states of the journal's file apart, without opening it: all that is written goes to the write-ahead log first.
    struct FileMark: Equatable, Sendable {
        fileprivate var size: off_t
        fileprivate var seconds: Int
        fileprivate var nanoseconds: Int
    }

    /// nil when the system does not tell.
    var fileMark: FileMark? {
        var file = stat()
        guard stat(pool.path + "-wal", &file) == 0 else { return nil }
        return FileMark(size: file.st_size, seconds: file.st_mtim.tv_sec, nanoseconds: file.st_mtim.tv_nsec)
    }

    /// Gives back the memory that SQLite keeps for the next transactions.
    func releaseMemory() {
        pool.releaseMemory()
    }

    /// Takes note of what another process, an operator's command, has changed in the file.
    /// - Returns: whether there was anything.
    @discardableResult
    func noticeOthers() throws(JournalError) -> Bool {
        let version: Int
        do {
            version = try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
        } catch {
            throw JournalError(error, operation: "look at the journal")
        }
        let isNews = usage.withLock { usage in
            defer { usage.versionOfOthers = version }
            return usage.versionOfOthers != version
        }
        guard isNews else { return false }
        try write("count the journal") { _ in
            usage.withLock {
                $0.deadLetterBytes = nil
                $0.deadLettersChanged = true
            }
        }
        return true
    }

    /// Gives the journal a new UUID: its positions are no longer those that the database knows of the old one.
    func rename(to fresh: NodeUUID) throws(JournalError) {
        try write("rename the journal") { try $0.execute(sql: "UPDATE journal SET uuid = ?", arguments: ["\(fresh)"]) }
        name.withLock { $0 = fresh }
        lock.note(lastPositionAtOpen, of: fresh)
    }

    /// Ends all use of the journal.
    func close() throws(JournalError) {
        // Leaves one file behind, not a file and its log.
        try checkpoint()
        do {
            try pool.close()
        } catch {
            throw JournalError(error, operation: "close the journal")
        }
    }

    /// Reads from a snapshot of the journal.
    func read<R>(_ operation: String, _ body: (Database) throws -> R) throws(JournalError) -> R {
        do {
            return try pool.read(body)
        } catch {
            throw JournalError(error, operation: operation)
        }
    }

    /// Reads from a snapshot of the journal, on a thread of SQLite's readers.
    func readAside<R: Sendable>(
        _ operation: String, _ body: @escaping @Sendable (Database) throws -> R
    ) async throws(JournalError) -> R {
        do {
            return try await pool.read(body)
        } catch {
            throw JournalError(error, operation: operation)
        }
    }

    /// Changes the journal in one transaction, and takes note of its size.
    func write<R>(_ operation: String, _ body: (Database) throws -> R) throws(JournalError) -> R {
        do {
            return try pool.write { db in
                let result = try body(db)
                let bytes = try Self.usedBytes(db)
                usage.withLock { $0.bytes = bytes }
                return result
            }
        } catch {
            // What the transaction noted of the dead letters is undone with it.
            usage.withLock { $0.deadLetterBytes = nil }
            throw JournalError(error, operation: operation)
        }
    }

    /// Opening writes a little, and a disk that the journal has filled must not keep it from being emptied.
    private static func openFile(
        _ folder: String, _ ballast: JournalBallast, _ noted: JournalLock.Noted?
    ) throws(JournalError) -> (pool: DatabasePool, setAside: JournalFile.SetAside?) {
        do {
            return try JournalFile.open(folder: folder, noted: noted)
        } catch  where error.kind == .full {
            ballast.drop()
            return try JournalFile.open(folder: folder, noted: noted)
        }
    }

    private static func usedBytes(_ db: Database) throws -> Int {
        let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
        let size = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
        return (pages - free) * size
    }

    private static func deadLetter(
        damaged bytes: UnsafeRawBufferPointer, at position: JournalPosition, why: RecordBatch.DecodingError
    ) -> DeadLetter {
        DeadLetter(
            receivedAt: .now, topic: "journal position \(position.number)", payload: bytes,
            rejection: Rejection(.journalDamaged, "the batch cannot be read: \(why)"), limit: .max)
    }
}
