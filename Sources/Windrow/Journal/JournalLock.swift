import Glibc

/// Keeps a second daemon off the journal: an advisory lock on a file beside it, which the kernel drops with the process.
///
/// The file also says which position the journal gave away last. It is written behind each append and not synced: so it is never
/// ahead of a journal that is whole, and where it is, the journal has lost its end.
struct JournalLock: ~Copyable, Sendable {
    private let descriptor: Int32

    init(folder: String) throws(JournalError) {
        let path = folder + "/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw JournalError(
                kind: .unusable, operation: "open \(path)", code: errno, message: String(cString: strerror(errno)),
                hint: "make the folder in journal.directory writable for the user that runs windrow")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            throw JournalError(
                kind: .locked, operation: "lock \(path)", code: code, message: "another process has this journal open",
                hint: "stop the other windrow, or give this one a journal.directory of its own")
        }
    }

    private struct Note {
        var journal: NodeUUID
        var position: Int64
    }

    /// Any thread; the journal's appends are one after the other.
    func note(_ position: JournalPosition, of journal: NodeUUID) {
        var note = Note(journal: journal, position: position.number)
        // Without it only a check is missing.
        _ = pwrite(descriptor, &note, MemoryLayout<Note>.size, 0)
    }

    /// The last position that was noted for a journal; nil when there is none of it.
    func notedPosition(of journal: NodeUUID) -> JournalPosition? {
        var note = Note(journal: journal, position: 0)
        guard pread(descriptor, &note, MemoryLayout<Note>.size, 0) == MemoryLayout<Note>.size, note.journal == journal
        else {
            return nil
        }
        return JournalPosition(note.position)
    }

    deinit {
        close(descriptor)
    }
}
