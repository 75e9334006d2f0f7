import Glibc
import Synchronization

/// The keys of one domain, as its file had them when it was last read.
final class Keys: Sendable {
    /// nil: the domain takes no HTTP.
    let path: String?
    private let ring = Mutex(KeyRing())

    init(path: String?) {
        self.path = path
    }

    var isEmpty: Bool { ring.withLock { $0.isEmpty } }

    /// The name of the key that the value of an `Authorization` field holds (`Key <secret>`); nil if there is no such key.
    func name(authorization: String?) -> String? {
        guard let authorization else { return nil }
        let parts = authorization.utf8.split(separator: UInt8(ascii: " "), maxSplits: 1)
        // The scheme's case does not matter (RFC 9110, section 11.1).
        guard parts.count == 2, String(parts[0])?.lowercased() == "key" else { return nil }
        return ring.withLock { $0 }.name(ofSecret: parts[1].drop { $0 == UInt8(ascii: " ") })
    }

    /// Reads the file anew. A file that is not there has no keys; on any other problem the keys stay as they were.
    /// - Returns: how many keys there are.
    @discardableResult
    func reload() throws -> Int {
        guard let path else { return 0 }
        var fresh = KeyRing()
        do {
            fresh = try KeyRing(parsing: Configuration.readFile(path), path: path)
        } catch let error as Configuration.UnreadableFile where error.code == ENOENT {}
        ring.withLock { $0 = fresh }
        return fresh.count
    }
}

/// Appends keys to a keys file.
public enum KeyFile {
    /// Adds a key's line. The file is made for its owner alone (mode 0600) if it is not there; the line is whole and on the disk, or
    /// not there.
    /// - Returns: the file's mode.
    public static func append(_ key: NewKey, to path: String) throws(Configuration.UnreadableFile) -> UInt16 {
        func failure() -> Configuration.UnreadableFile { Configuration.UnreadableFile(path: path, code: errno) }
        let file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure() }
        defer { close(file) }
        // An editor may have left the last line without its end.
        var last: UInt8 = UInt8(ascii: "\n")
        let size = lseek(file, 0, SEEK_END)
        if size > 0, pread(file, &last, 1, size - 1) != 1 { throw failure() }
        let line = Array(((last == UInt8(ascii: "\n") ? "" : "\n") + key.line).utf8)
        guard write(file, line, line.count) == line.count, fsync(file) == 0 else { throw failure() }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure() }
        return UInt16(status.st_mode & 0o777)
    }
}
