import Foundation
import GRDB

/// What the folders of journals hold that was acknowledged and is nowhere else: whoever deletes them asks before.
public enum JournalRemains {
    /// A line for each folder that holds something, or of which that cannot be told; none when all may go.
    /// - Parameter directory: `journal.directory`. No daemon runs.
    public static func lines(in directory: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: directory).sorted().flatMap { name in
            try remains(of: directory + "/" + name).map { "\(directory)/\(name): \($0)" }
        }
    }

    private static func remains(of folder: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            return []
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        let asides = files.filter { $0.hasPrefix(JournalFile.name + ".damaged-") }.sorted()
        return asides.map { "\($0), a damaged journal" } + (files.contains(JournalFile.name) ? waiting(folder) : [])
    }

    private static func waiting(_ folder: String) -> [String] {
        do {
            let note = CommittedNote.read(in: folder)
            let queue = try DatabaseQueue(path: folder + "/" + JournalFile.name)
            let (batches, letters) = try queue.read { db in
                try JournalFile.checkFormat(db)
                return (
                    // Those before it are in PostgreSQL, and kept for a failover.
                    try Int.fetchOne(
                        db, sql: "SELECT count(*) FROM batch WHERE position > ?",
                        arguments: [try JournalFile.uuid(db) == note?.journal ? note?.through.number ?? 0 : 0]) ?? 0,
                    // Those with an origin were acknowledged as points.
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM dead_letter WHERE origin IS NOT NULL") ?? 0
                )
            }
            return (batches > 0 ? ["batches that are not in PostgreSQL: \(batches)"] : [])
                + (letters > 0
                    ? ["dead letters with points that PostgreSQL refused or that were damaged: \(letters)"] : [])
        } catch {
            return ["cannot be read: \(error)"]
        }
    }
}
