import Glibc

/// Keeps a second daemon off the journal: an advisory lock on a file beside it, which the kernel drops with the process.
///
/// The file also says which position the journal gave away last. It is written behind each append and not synced: so it is never
/// ahead of a journal that is whole, and where it is, the journal has lost its end.
struct JournalLock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// - Parameter patience: how long another process may go on holding it: an operator's command does so for a moment.
    init(folder: String, patience: Duration = .zero) throws(JournalError) {
        let path = folder + "/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw JournalError(
                kind: .unusable, operation: "open \(path)", code: errno, message: String(cString: strerror(errno)),
                hint: "make the folder in journal.directory writable for the user that runs windrow")
        }
        let deadline = ContinuousClock.now + patience
        var isHeld = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        while !isHeld, errno == EWOULDBLOCK, .now < deadline {
            usleep(50_000)
            isHeld = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        }
        guard isHeld else {
            let code = errno
            close(descriptor)
            throw JournalError(
                kind: .locked, operation: "lock \(path)", code: code, message: "another process has this journal open",
                hint: "stop the other windrow, or give this one a journal.directory of its own")
        }
    }

    /// The last position that a journal gave away.
    typealias Noted = (journal: NodeUUID, position: JournalPosition)

    /// Whether a process has the journal in the folder open just now.
    static func isHeld(in folder: String) -> Bool {
        let descriptor = open(folder + "/lock", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    private struct Note {
        var journal: NodeUUID
        var position: Int64
        var checksum: UInt64 = 0

        /// Of what stands before it.
        var expected: UInt64 {
            var copy = self
            copy.checksum = 0
            return withUnsafeBytes(of: &copy) { UInt64(CRC32C.checksum($0)) }
        }
    }

    /// Any thread, one at a time.
    func note(_ position: JournalPosition, of journal: NodeUUID) {
        var note = Note(journal: journal, position: position.number)
        note.checksum = note.expected
        // Without it only a check is missing.
        _ = pwrite(descriptor, &note, MemoryLayout<Note>.size, 0)
    }

    /// The last position that was noted, and of which journal; nil when there is none.
    var noted: Noted? {
        var note = Note(journal: NodeUUID(high: 0, low: 0), position: 0)
        guard pread(descriptor, &note, MemoryLayout<Note>.size, 0) == MemoryLayout<Note>.size,
            note.checksum == note.expected
        else {
            return nil
        }
        return (note.journal, JournalPosition(note.position))
    }

    deinit {
        close(descriptor)
    }
}
