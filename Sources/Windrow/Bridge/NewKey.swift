import Crypto
import Glibc

/// A fresh key for an HTTP client.
public struct NewKey: Sendable {
    /// What its line is called.
    public let name: String
    /// 256 random bits in base64url: 43 characters. It is shown once and stored nowhere.
    public let secret: String

    /// What makes a name, to follow `expected` in a sentence.
    public static let expectation = "a name of 1 to 63 characters out of a-z, A-Z, 0-9, ., _ and -"

    /// nil unless the name is as `expectation` says.
    public init?(name: String) {
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, (1...63).contains(name.utf8.count) else { return nil }
        self.name = name
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        // From the kernel's generator (getrandom(2)).
        var generator = SystemRandomNumberGenerator()
        secret = String(
            decoding: (0..<43).map { place in
                // 42 characters of 6 bits, and the last of 4: as base64url writes 32 bytes.
                let bits = Int(truncatingIfNeeded: generator.next() as UInt64) & 63
                return alphabet[place < 42 ? bits : bits & 60]
            }, as: UTF8.self)
    }

    /// Its line in a keys file.
    public var line: String {
        let digest = SHA256.hash(data: Array(secret.utf8))
        let hex = digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        return "\(name) \(hex)\n"
    }
}

/// Why a key could not be added to a keys file, which is then as it was before.
public struct KeyWriteError: Error, Sendable, CustomStringConvertible {
    /// The keys file.
    public var path: String
    /// The system's error number.
    public var code: Int32

    public var description: String { "cannot write \(path): \(String(cString: strerror(code)))" }
}

extension NewKey {
    /// Adds the key's line to a keys file, which is made for its owner alone (mode 0600) if it is not there. When it returns the
    /// line is on the disk; when it throws, there is nothing of it.
    /// - Returns: the file's mode.
    public func append(to path: String) throws(KeyWriteError) -> UInt16 {
        let file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw KeyWriteError(path: path, code: errno) }
        // Gives the lock back too.
        defer { close(file) }
        var status = stat()
        // Whoever else adds a key waits.
        guard flock(file, LOCK_EX) == 0, fstat(file, &status) == 0 else { throw KeyWriteError(path: path, code: errno) }
        var last = UInt8(ascii: "\n")
        if status.st_size > 0, pread(file, &last, 1, status.st_size - 1) != 1 {
            throw KeyWriteError(path: path, code: errno)
        }
        // An editor may have left the last line without its end.
        let line = Array(((last == UInt8(ascii: "\n") ? "" : "\n") + self.line).utf8)
        errno = 0
        guard write(file, line, line.count) == line.count, fsync(file) == 0 else {
            // A short write sets no error: there was no room for the rest.
            let code = errno == 0 ? ENOSPC : errno
            ftruncate(file, status.st_size)
            throw KeyWriteError(path: path, code: code)
        }
        return UInt16(status.st_mode & 0o777)
    }
}
