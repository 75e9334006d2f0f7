import Crypto

/// A line of a keys file that is none.
public struct KeyFileError: Error, Sendable, CustomStringConvertible {
    public var path: String
    public var line: Int
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

/// A fresh key for an HTTP client.
public struct NewKey: Sendable {
    public let name: String
    /// 256 random bits in base64url: 43 characters. It is shown once and stored nowhere.
    public let secret: String

    /// nil unless the name has 1 to 63 characters out of `a-z A-Z 0-9 . _ -`.
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
