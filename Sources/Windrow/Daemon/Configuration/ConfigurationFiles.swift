#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Configuration {
    /// Why a file could not be read.
    public struct UnreadableFile: Error, Hashable, Sendable, CustomStringConvertible {
        public var path: String
        /// The system's error number.
        public var code: Int32

        public init(path: String, code: Int32) {
            self.path = path
            self.code = code
        }

        public var description: String { "cannot read \(path): \(reason)" }

        /// The system's words for `code`.
        public var reason: String {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                // The XSI version of strerror_r fills the buffer, GNU's returns a text that may lie elsewhere: Swift sees the first.
                guard let start = buffer.baseAddress, strerror_r(code, start, buffer.count) == 0 else {
                    return "error \(code)"
                }
                return String(cString: start)
            }
        }
    }

    /// Takes an absolute path and gives the file's content.
    public typealias FileReader = @Sendable (_ path: String) throws(UnreadableFile) -> [UInt8]

    /// Reads a file whole. Refuses one of more than 16 MiB with EFBIG: nothing that a configuration names is so large, and a
    /// device would never end.
    public static func readFile(_ path: String) throws(UnreadableFile) -> [UInt8] {
        let limit = 16 << 20
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw UnreadableFile(path: path, code: errno) }
        defer { close(descriptor) }

        var content: [UInt8] = []
        let chunkSize = 64 << 10
        var chunk = [UInt8](repeating: 0, count: chunkSize)
        while true {
            let count = read(descriptor, &chunk, chunkSize)
            if count == 0 { return content }
            if count < 0 {
                if errno == EINTR { continue }
                throw UnreadableFile(path: path, code: errno)
            }
            content += chunk[..<count]
            if content.count > limit { throw UnreadableFile(path: path, code: EFBIG) }
        }
    }
}

/// Finds and reads the files that a configuration names.
struct ConfigurationFiles {
    /// The configuration's own folder.
    let folder: String
    /// `$CREDENTIALS_DIRECTORY`, which systemd sets for a unit with `LoadCredential=`.
    let credentials: String?
    let read: Configuration.FileReader

    init(folder: String, environment: [String: String], read: @escaping Configuration.FileReader) {
        self.folder = folder
        credentials = environment["CREDENTIALS_DIRECTORY"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        self.read = read
    }

    /// The path itself when it is absolute, else in the configuration's folder.
    func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : Self.join(folder, path)
    }

    /// A relative path is looked for among systemd's credentials first. A file that isn't there is looked for in the
    /// configuration's folder, so that a unit may hand over its password as a credential and still name a public CA file beside
    /// the configuration.
    func content(of path: String) throws(Configuration.UnreadableFile) -> (path: String, bytes: [UInt8]) {
        if let credentials, !path.hasPrefix("/") {
            let candidate = Self.join(credentials, path)
            do {
                return (candidate, try read(candidate))
            } catch {
                if error.code != ENOENT { throw error }
            }
        }
        let own = absolute(path)
        return (own, try read(own))
    }

    /// The path of a file that may not be there yet: among systemd's credentials if it is there, else as `absolute`.
    func resolve(_ path: String) -> String {
        do {
            return try content(of: path).path
        } catch {
            // Whoever reads it tells why it cannot be read.
            return error.path
        }
    }

    static func join(_ folder: String, _ path: String) -> String {
        folder.isEmpty ? path : folder.hasSuffix("/") ? folder + path : folder + "/" + path
    }

    /// The folder part of a path; empty when it has none.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
