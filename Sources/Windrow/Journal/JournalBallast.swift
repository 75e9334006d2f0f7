import Glibc

/// A file that only takes up room, to be given back when the disk is full and trimming the journal needs a little.
struct JournalBallast: Sendable {
    private let path: String
    private static let size: off_t = 1 << 20

    init(folder: String) {
        path = folder + "/ballast"
    }

    /// Takes the room, if it is not taken. Where there is none left, there is nothing to keep.
    func restore() {
        var file = stat()
        if stat(path, &file) == 0, file.st_size >= Self.size { return }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return }
        if posix_fallocate(descriptor, 0, Self.size) != 0 { unlink(path) }
        close(descriptor)
    }

    func drop() {
        unlink(path)
    }
}
