import GRDB

// Batches that PostgreSQL has and that are kept for a while, to be replayed if a failover loses them. They take no room that others
// need: whoever finds the journal too full for what comes in has them trimmed before their time.

extension Journal {
    /// The journal holds no batch up to here.
    var trimmed: JournalPosition { usage.withLock { $0.trimmed } }
    /// Bytes that kept batches take.
    var keptBytes: Int { usage.withLock { $0.keptBytes } }
    /// Batches up to here are in PostgreSQL, as far as the journal keeps such.
    var lastKept: JournalPosition { usage.withLock { $0.keptThrough } }
    /// Bytes of batches that wait for PostgreSQL, and of dead letters.
    var waitingBytes: Int { usage.withLock { $0.bytes - $0.keptBytes } }

    /// The share of `maxSize` that kept batches may fill up together with all else.
    private static let keptShare = 0.75
    /// Kept batches give way when the disk has less room than this.
    private static let leastDiskFree = 16 << 20
    /// Bytes that are trimmed in one transaction.
    private static let yieldStep = 16 << 20
    /// What a batch takes beside its body.
    private static let rowOverhead = 24

    /// Tells other processes, and the next start, what PostgreSQL has.
    /// - Parameter lanes: for each lane, the last batch that it has committed.
    func noteCommitted(through position: JournalPosition, lanes: [JournalPosition]) {
        CommittedNote(journal: uuid, trimmed: trimmed, through: position, lanes: lanes).write(in: folder)
    }

    /// The batches up to here are in PostgreSQL and stay for a while; those behind it wait.
    func keep(through position: JournalPosition) throws(JournalError) {
        let before = lastKept
        if position == before { return }
        if position < before { return try keepLess(through: position) }
        let bytes = try read("measure the journal") { try Self.bytes(after: before, through: position, $0) }
        // Whoever makes room meanwhile takes from those that were kept before.
        usage.withLock { usage in
            usage.keptThrough = position
            usage.keptBytes += bytes
        }
    }

    /// Back after a rewind. When it returns, nobody who makes room takes what is behind the position any more.
    private func keepLess(through position: JournalPosition) throws(JournalError) {
        try write("measure the journal") { db in
            let bytes = try Self.bytes(after: .start, through: position, db)
            usage.withLock { usage in
                usage.keptThrough = position
                usage.keptBytes = bytes
            }
        }
    }

    private var isDiskShort: Bool { diskFree.map { $0 < Self.leastDiskFree } ?? false }

    /// Looks whether kept batches have to give way. Once a second.
    func yieldKeptIfNeeded() throws(JournalError) {
        guard keptBytes > 0 else { return }
        if isDiskShort { return try yieldAll() }
        try yieldKept(downTo: Int(Double(maxBytes) * Self.keptShare))
    }

    /// Trims kept batches, the oldest first, until no more is in use than kept batches may fill up, or none are left.
    func makeRoom() {
        guard keptBytes > 0 else { return }
        do {
            try yieldKept(downTo: Int(Double(maxBytes) * Self.keptShare))
        } catch {
            log.error("cannot trim what the journal keeps", metadata: ["error": "\(error)"])
        }
    }

    /// Has kept batches give way where the disk is short or full, so that `body` need not fail for their sake.
    func yielding<R>(_ body: () throws(JournalError) -> R) throws(JournalError) -> R {
        guard keptBytes > 0 else { return try body() }
        do throws(JournalError) {
            if isDiskShort { try yieldAll() }
            return try body()
        } catch {
            guard error.kind == .full else { throw error }
            try yieldAll()
            return try body()
        }
    }

    /// On a short disk. To trim may have taken the ballast: if it is there again, nothing is in the way of what comes in.
    private func yieldAll() throws(JournalError) {
        try yieldKept(downTo: 0)
        if !ballast.restore() {
            do throws(JournalError) {
                try giveBack()
            } catch {
                // Somebody reads the journal just now, say. There is room in it all the same.
                log.debug("cannot give room of the journal back to the disk", metadata: ["error": "\(error)"])
            }
        }
        if ballast.restore() { usage.withLock { $0.blockedUntil = nil } }
    }

    private func yieldKept(downTo limit: Int) throws(JournalError) {
        while true {
            let (bytes, kept, through) = usage.withLock { ($0.bytes, $0.keptBytes, $0.keptThrough) }
            guard bytes > limit, kept > 0 else { return }
            let step = try read("measure the journal") { db in
                let rows = try Row.fetchCursor(
                    db, sql: "SELECT position, length(body) FROM batch WHERE position <= ? ORDER BY position",
                    arguments: [through.number])
                var (size, last) = (0, JournalPosition?.none)
                while size < min(Self.yieldStep, bytes - limit), let row = try rows.next() {
                    last = JournalPosition(row[0])
                    size += Int(row[1] as Int64? ?? 0) + Self.rowOverhead
                }
                return last
            }
            // Somebody else has made room.
            guard let step else { return }
            try trim(through: step, isYielding: true)
            let isNews = usage.withLock { usage in
                defer { usage.hasYielded = true }
                return !usage.hasYielded
            }
            if isNews {
                log.warning(
                    "the journal needs the room of batches that it keeps: they are trimmed before journal.keep has passed; raise journal.max_size, or make room on the disk",
                    metadata: ["used": "\(bytes)", "kept": "\(kept)"])
            }
        }
    }

    /// Bytes of batches after a position and up to another. SQLite knows the length of a body without reading it.
    static func bytes(
        after position: JournalPosition, through last: JournalPosition, _ db: Database
    ) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT coalesce(sum(length(body) + \(rowOverhead)), 0) FROM batch WHERE position > ? AND position <= ?
                """, arguments: [position.number, last.number]) ?? 0
    }
}
