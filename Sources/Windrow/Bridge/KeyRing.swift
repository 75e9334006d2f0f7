import Crypto

/// A line of a keys file that is none.
public struct KeyFileError: Error, Sendable, CustomStringConvertible {
    public var path: String
    /// Counted from 1.
    public var line: Int
    /// What was expected.
    public var message: String

    public var description: String { "\(path):\(line): \(message)" }
}

/// The keys that open a domain to HTTP clients, as its `keys_file` lists them: a line each, `name sha256-hex`. Empty lines and lines
/// that begin with `#` are passed over. The secrets themselves are stored nowhere.
struct KeyRing: Sendable {
    private struct Key: Sendable {
        var name: String
        var digest: [UInt8]
    }

    private var keys: [Key] = []

    /// Opens to nobody.
    init() {}

    /// - Parameter path: names the file in errors.
    init(parsing text: [UInt8], path: String) throws(KeyFileError) {
        for (place, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let fields = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
            guard let first = fields.first, first.first != UInt8(ascii: "#") else { continue }
            guard fields.count == 2, let digest = Self.digest(hex: fields[1]) else {
                throw KeyFileError(
                    path: path, line: place + 1,
                    message: "expected a name and 64 hexadecimal digits, as `windrow key` writes them")
            }
            keys.append(Key(name: String(decoding: first, as: UTF8.self), digest: digest))
        }
    }

    var isEmpty: Bool { keys.isEmpty }
    var count: Int { keys.count }

    /// The name of the key that the secret is of; nil if there is none. Takes as long for a wrong secret as for a right one.
    func name(ofSecret secret: some Sequence<UInt8>) -> String? {
        let presented = SHA256.hash(data: Array(secret))
        var found: Key?
        for key in keys {
            // All of it is compared, whatever the first bytes are (swift-crypto, Digest).
            if presented == key.digest { found = key }
        }
        return found?.name
    }

    private static func digest(hex: ArraySlice<UInt8>) -> [UInt8]? {
        guard hex.count == 2 * SHA256.byteCount else { return nil }
        let digits = hex.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == hex.count else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
