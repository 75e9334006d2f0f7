import Glibc

/// A file that only takes up room, to be given back when the disk is full and emptying the journal needs some.
struct JournalBallast: Sendable {
    let path: String
    private let size: off_t

    /// - Parameter size: bytes. What the write-ahead log may hold must fit, because all of it may have to move into the file.
    init(folder: String, size: Int) {
        path = folder + "/ballast"
        self.size = off_t(size)
    }

    /// Takes the room, if it is not taken.
    /// - Returns: false where there is no room left to keep.
    @discardableResult
    func restore() -> Bool {
        var file = stat()
        if stat(path, &file) == 0, file.st_size >= size { return true }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        if posix_fallocate(descriptor, 0, size) == 0 { return true }
        unlink(path)
        return false
    }

    func drop() {
        unlink(path)
    }
}
