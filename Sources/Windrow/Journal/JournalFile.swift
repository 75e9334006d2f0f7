import Foundation
import GRDB

// The journal's SQLite file: how it is opened, checked and, when damaged, set aside.
//
// journal.sqlite in the domain's folder, WAL mode with synchronous=FULL: a transaction that has returned is on the disk. A crash
// at any moment leaves the last committed transaction; SQLite rolls the rest back at the next open.

/// Opens journal files.
enum JournalFile {
    static let name = "journal.sqlite"
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
        var saved: JournalSalvage.Report
    }

    /// Opens the folder's journal, or makes one. A damaged file is renamed, never deleted, and a new journal begins with all that
    /// can be read of the old one.
    static func open(folder: String) throws(JournalError) -> (pool: DatabasePool, setAside: SetAside?) {
        let path = folder + "/" + name
        do {
            try finishSalvage(path)
            return (try openSound(path), nil)
        } catch let damage as Damage {
            do {
                let aside = name + ".damaged-" + String(Int(Date().timeIntervalSince1970))
                let saved = try salvage(path, damaged: aside)
                try setAside(path, folder: folder, as: aside)
                try finishSalvage(path)
                return (try openSound(path), SetAside(file: aside, why: damage.what, saved: saved))
            } catch {
                throw JournalError(error, operation: "open \(path)")
            }
        } catch {
            throw JournalError(error, operation: "open \(path)")
        }
    }

    // The new journal is written beside the damaged one, and takes its place when the damaged one has been renamed. So a crash
    // leaves the damaged file in its place, and all of this is done again; or no file there and a new one that is complete.

    private static let salvageSuffix = ".new"

    /// Writes what can be read of a damaged journal to a file of its own.
    private static func salvage(_ path: String, damaged aside: String) throws -> JournalSalvage.Report {
        let queue = try DatabaseQueue(path: path + salvageSuffix, configuration: configuration())
        let report = try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try create(db)
            return try JournalSalvage(into: db, named: aside).run(from: path)
        }
        try queue.close()
        return report
    }

    private static func finishSalvage(_ path: String) throws(JournalError) {
        let new = path + salvageSuffix
        if access(path, F_OK) == 0 {
            // Of a crash in the middle: it begins anew.
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(new + suffix) }
        } else if access(new, F_OK) == 0, rename(new, path) != 0 {
            throw JournalError(
                kind: .unusable, operation: "rename \(new)", code: errno, message: String(cString: strerror(errno)),
                hint: nil)
        }
    }

    private static func openSound(_ path: String) throws -> DatabasePool {
        do {
            let pool = try DatabasePool(path: path, configuration: configuration())
            try pool.writeWithoutTransaction { db in
                // GRDB chooses NORMAL for WAL, which may lose the last transactions in a power cut.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try checkOrCreate(db)
            }
            return pool
        } catch let error as DatabaseError where isDamage(error) {
            throw Damage(what: error.message ?? "SQLite error \(error.extendedResultCode.rawValue)")
        }
    }

    private static func configuration() -> GRDB.Configuration {
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

    private static func create(_ db: Database) throws {
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
        PRAGMA user_version = 2;
        """

    private static func isDamage(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB
    }

    /// Renames the journal's files.
    private static func setAside(_ path: String, folder: String, as aside: String) throws(JournalError) {
        // The file itself last: as long as it is there, it is the journal.
        for suffix in ["-wal", "-shm", ""] {
            if rename(path + suffix, folder + "/" + aside + suffix) != 0, errno != ENOENT {
                throw JournalError(
                    kind: .unusable, operation: "set the damaged file \(path + suffix) aside", code: errno,
                    message: String(cString: strerror(errno)), hint: nil)
            }
        }
    }
}

extension JournalError {
    init(_ error: any Error, operation: String) {
        if let error = error as? JournalError {
            self = error
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
