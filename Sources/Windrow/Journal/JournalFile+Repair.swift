import Foundation
import GRDB
import Glibc

// The new journal is written beside the damaged one, and takes its place when the damaged one has been renamed. So a crash
// leaves the damaged file in its place, and all of this is done again; or no file there and a new one that is complete, which
// only has to take its place. A log of the damaged file must not be there then: SQLite would take it for the new file's.

extension JournalFile {
    /// Puts a log in the place of a damaged one that SQLite reads to its end. A crash leaves either of them.
    static func mendLog(_ file: String, keepingAs aside: String) throws -> Bool {
        guard let mended = try JournalLog(file: file)?.mended else { return false }
        let new = file + salvageSuffix
        try mended.write(to: URL(fileURLWithPath: new))
        let written = try FileHandle(forUpdating: URL(fileURLWithPath: new))
        try written.synchronize()
        try written.close()
        // Not every file system has a second name for a file.
        if link(file, aside) != 0 { try FileManager.default.copyItem(atPath: file, toPath: aside) }
        guard rename(new, file) == 0 else {
            throw JournalError(
                kind: .unusable, operation: "mend the damaged file \(file)", code: errno,
                message: String(cString: strerror(errno)),
                hint: "make the folder in journal.directory writable for the user that runs windrow")
        }
        try syncFolder(of: file)
        return true
    }

    /// A page that was lost in the log may have held batches, and nothing else shows it than that their positions are missing. Where
    /// there are none at all it cannot be known: they may all be in PostgreSQL.
    static func tellMissing(_ db: Database, _ name: String) throws {
        let last = try lastPosition(db) ?? 0
        let present = try Row.fetchOne(db, sql: "SELECT min(position), count(*) FROM batch HAVING count(*) > 0")
        let missing = present.map { last - $0[0] + 1 - $0[1] } ?? min(last, 1)
        if missing > 0 { try JournalSalvage.tell(Int(missing), upTo: last, name, db) }
    }

    private static let salvageSuffix = ".new"

    /// Writes what can be read of a damaged journal to a file of its own.
    /// - Parameter noted: of the damaged one, as far as the file beside it tells.
    static func salvage(_ path: String, damaged aside: String, noted: JournalLock.Noted?) throws
        -> JournalSalvage.Report
    {
        let queue = try DatabaseQueue(path: path + salvageSuffix, configuration: configuration())
        let report = try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try create(db)
            return try JournalSalvage(into: db, named: aside, noted: noted).run(from: path)
        }
        try queue.close()
        return report
    }

    /// Ends what a crash has left half done: the new file takes the damaged one's place, or is thrown away while that is still there.
    static func finishSalvage(_ path: String, keepingAs aside: String) throws(JournalError) {
        let new = path + salvageSuffix
        var file = stat()
        let isThere = stat(path, &file) == 0
        if isThere && file.st_size > 0 {
            // Of a crash in the middle: it begins anew.
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(new + suffix) }
        } else if access(new, F_OK) == 0 {
            for suffix in ["-wal", "-shm"] {
                // A log that was mended is kept already, as it was before.
                if access(aside + suffix, F_OK) == 0 {
                    unlink(path + suffix)
                } else {
                    try move(path + suffix, to: aside + suffix)
                }
            }
            try move(new, to: path)
            try syncFolder(of: path)
        } else if access(path + "-wal", F_OK) == 0 {
            // The file is gone, and SQLite would wipe its log away.
            try move(path + "-wal", to: aside + "-wal")
            unlink(path + "-shm")
        }
    }

    static func move(_ file: String, to name: String) throws(JournalError) {
        guard rename(file, name) == 0 || errno == ENOENT else {
            throw JournalError(
                kind: .unusable, operation: "rename \(file) to \(name)", code: errno,
                message: String(cString: strerror(errno)),
                hint: "make the folder in journal.directory writable for the user that runs windrow")
        }
    }

    /// Makes new names of files last: what is acknowledged from now on is in a file that must be found under its name.
    static func syncFolder(of file: String) throws(JournalError) {
        let folder = String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)])
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw JournalError(
                kind: .failed, operation: "sync the folder \(folder)", code: errno,
                message: String(cString: strerror(errno)), hint: nil)
        }
    }
}
