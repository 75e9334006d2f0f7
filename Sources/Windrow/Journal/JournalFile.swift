import Foundation
import GRDB

// The journal's SQLite file: how it is opened, checked and, when damaged, set aside.
//
// journal.sqlite in the domain's folder, WAL mode with synchronous=FULL: a transaction that has returned is on the disk. A crash
// at any moment leaves the last committed transaction; SQLite rolls the rest back at the next open.

/// Opens journal files.
enum JournalFile {
    static let name = "journal.sqlite"
    /// SQLite's default.
    static let pageSize = 4096
    /// "WRJ1", for `file(1)` and for telling a foreign SQLite file from ours.
    private static let applicationID: Int32 = 0x5752_4A31
    static let version = 2

    /// What is found when a file that exists is not a sound journal.
    private struct Damage: Error {
        var what: String
    }

    /// What is told of a file that was damaged.
    struct SetAside {
        /// Its new name.
        var file: String
        var why: String
        /// nil for a write-ahead log: nothing of it is left out.
        var saved: JournalSalvage.Report?
    }

    /// Opens the folder's journal, or makes one. A damaged file is renamed, never deleted, and a new journal begins with all that
    /// can be read of the old one.
    static func open(
        folder: String, noted: JournalLock.Noted? = nil
    ) throws(JournalError) -> (pool: DatabasePool, setAside: SetAside?) {
        let path = folder + "/" + name
        let asideName = name + ".damaged-" + String(Int(Date().timeIntervalSince1970))
        let aside = folder + "/" + asideName
        do {
            try finishSalvage(path, keepingAs: aside)
            let isMended = try mendLog(path + "-wal", keepingAs: aside + "-wal")
            let pool = try openSound(path)
            if isMended { try pool.write { try tellMissing($0, asideName + "-wal") } }
            return (pool, isMended ? SetAside(file: asideName + "-wal", why: "checksums of its write-ahead log") : nil)
        } catch let damage as Damage {
            do {
                let saved = try salvage(path, damaged: asideName, noted: noted)
                try move(path, to: aside)
                try finishSalvage(path, keepingAs: aside)
                return (try openSound(path), SetAside(file: asideName, why: damage.what, saved: saved))
            } catch {
                throw JournalError(error, operation: "open \(path)")
            }
        } catch {
            throw JournalError(error, operation: "open \(path)")
        }
    }

    private static func openSound(_ path: String) throws -> DatabasePool {
        do {
            let pool = try DatabasePool(path: path, configuration: configuration())
            try pool.writeWithoutTransaction { db in
                // GRDB chooses NORMAL for WAL, which may lose the last transactions in a power cut.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try checkOrCreate(db)
                // What an earlier run has left in the log must not be taken for a part of what this one adds (`JournalLog`).
                _ = try db.checkpoint(.truncate)
            }
            return pool
        } catch let error as DatabaseError where isDamage(error) {
            throw Damage(what: error.message ?? "SQLite error \(error.extendedResultCode.rawValue)")
        }
    }

    static func configuration() -> GRDB.Configuration {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { db in
            if db.configuration.readonly { return }
            // Takes effect only before the first table is made.
            try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            try db.execute(sql: "PRAGMA journal_size_limit = 8388608")
            // Debian's SQLite overwrites what is deleted, which would write every batch twice.
            try db.execute(sql: "PRAGMA secure_delete = OFF")
        }
        return configuration
    }

    private static func checkOrCreate(_ db: Database) throws {
        let found = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        if found == 0, try db.tableExists("batch") == false {
            try create(db)
            return
        }
        guard found == applicationID else { throw Damage(what: "it is not a Windrow journal") }
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version <= Self.version else {
            throw JournalError(
                kind: .tooNew, operation: "open the journal", code: nil,
                message: "it has format \(version), this Windrow knows formats up to \(Self.version)",
                hint: "run the newer Windrow again, or let it drain the journal first")
        }
        let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "no answer"
        guard verdict == "ok" else { throw Damage(what: verdict) }
        if version < 2 {
            try db.inTransaction {
                try db.execute(sql: versionTwo)
                return .commit
            }
        }
        // What `quick_check` does not look at: names in the schema, and values.
        guard try schema(db) == expectedSchema() else { throw Damage(what: "its tables are not those of a journal") }
        guard try uuid(db) != nil else { throw Damage(what: "its UUID is not one") }
        guard let last = try lastPosition(db),
            try Int64.fetchOne(db, sql: "SELECT max(position) FROM batch") ?? 0 <= last
        else {
            throw Damage(what: "its last position is not the last one")
        }
    }

    private static func schema(_ db: Database) throws -> [String] {
        try String.fetchAll(
            db,
            sql: "SELECT CAST(type || ' ' || name || ' ' || coalesce(sql, '') AS TEXT) FROM sqlite_schema ORDER BY name"
        )
    }

    private static func expectedSchema() throws -> [String] {
        try DatabaseQueue().writeWithoutTransaction { db in
            try create(db)
            return try schema(db)
        }
    }

    /// nil when what stands there is none.
    static func uuid(_ db: Database) throws -> NodeUUID? {
        let found = try String.fetchAll(db, sql: "SELECT CAST(uuid AS TEXT) FROM journal")
        return found.count == 1 ? NodeUUID(found[0]) : nil
    }

    /// The last position that was given to a batch, 0 for none; nil when nothing stands there.
    static func lastPosition(_ db: Database) throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = 'batch'")
    }

    /// Throws unless the file is a journal in the format of this Windrow; changes nothing.
    static func checkFormat(_ db: Database) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard try Int32.fetchOne(db, sql: "PRAGMA application_id") == applicationID, found == version else {
            throw JournalError(
                kind: .tooNew, operation: "use the journal", code: nil,
                message: "it has format \(found), this Windrow uses format \(version)",
                hint: "use the Windrow that the daemon runs, or start the daemon once to upgrade the journal")
        }
    }

    static func create(_ db: Database) throws {
        try db.inTransaction {
            // AUTOINCREMENT: a position is never used again, also when all batches before it are gone.
            try db.execute(
                sql: """
                    CREATE TABLE journal (uuid TEXT NOT NULL);
                    CREATE TABLE batch (
                        position INTEGER PRIMARY KEY AUTOINCREMENT,
                        points INTEGER NOT NULL,
                        body BLOB NOT NULL);
                    CREATE TABLE dead_letter (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        received_at INTEGER NOT NULL,
                        topic TEXT NOT NULL,
                        reason TEXT NOT NULL,
                        detail TEXT NOT NULL,
                        payload BLOB NOT NULL,
                        payload_size INTEGER NOT NULL,
                        bytes INTEGER NOT NULL,
                        origin TEXT UNIQUE);
                    CREATE TABLE subscription (
                        session TEXT NOT NULL,
                        filter TEXT NOT NULL,
                        PRIMARY KEY (session, filter));
                    PRAGMA application_id = \(applicationID);
                    """ + versionTwo)
            try db.execute(sql: "INSERT INTO journal (uuid) VALUES (?)", arguments: [UUID().uuidString.lowercased()])
            return .commit
        }
    }

    /// What the sender said beside the payload, and whether an operator wants the letter to be accepted again.
    private static let versionTwo = """
        ALTER TABLE dead_letter ADD COLUMN overwrite TEXT;
        ALTER TABLE dead_letter ADD COLUMN retry INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX dead_letter_retry ON dead_letter (id) WHERE retry = 1;
        INSERT INTO sqlite_sequence (name, seq)
            SELECT 'batch', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'batch');
        PRAGMA user_version = 2;
        """

    private static func isDamage(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB
    }
}

extension JournalError {
    init(_ error: any Error, operation: String) {
        if let error = error as? JournalError {
            self = error
            return
        }
        if (error as? CocoaError)?.code == .fileWriteOutOfSpace {
            self.init(
                kind: .full, operation: operation, code: ENOSPC, message: "the disk is full",
                hint: "free space on the disk that holds journal.directory")
            return
        }
        guard let error = error as? DatabaseError else {
            self.init(kind: .failed, operation: operation, code: nil, message: String(describing: error), hint: nil)
            return
        }
        let code = error.extendedResultCode.rawValue
        let message = error.message ?? "SQLite error"
        switch error.resultCode {
        case .SQLITE_FULL:
            self.init(
                kind: .full, operation: operation, code: code, message: message,
                hint: "free space on the disk that holds journal.directory")
        case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
            self.init(
                kind: .unusable, operation: operation, code: code, message: message,
                hint: "make the folder in journal.directory writable for the user that runs windrow")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self.init(
                kind: .failed, operation: operation, code: code, message: message,
                hint:
                    "the journal's file is damaged; start windrow anew: it sets the file aside and saves what can be read"
            )
        default:
            self.init(kind: .failed, operation: operation, code: code, message: message, hint: nil)
        }
    }
}
