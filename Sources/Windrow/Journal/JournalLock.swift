import Glibc

/// Keeps a second daemon off the journal: an advisory lock on a file beside it, which the kernel drops with the process.
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

    deinit {
        close(descriptor)
    }
}
