import Glibc
import Synchronization

/// The keys of one domain, as its file had them when it was last read.
final class Keys: Sendable {
    private let file: Live<String?>
    private let ring = Mutex(KeyRing())

    init(path: String?) {
        file = Live(path)
    }

    /// Where `reload()` finds them; nil: the domain takes no HTTP.
    var path: String? {
        get { file.current }
        set { file.current = newValue }
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
