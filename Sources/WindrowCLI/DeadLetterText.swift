import Foundation
import Windrow

/// How dead letters are printed.
enum DeadLetterText {
    private static let widths = (id: 8, reason: 23, topic: 28)

    static let header =
        "\(left("ID", widths.id))\(left("RECEIVED", 22))\(left("REASON", widths.reason))\(left("TOPIC", widths.topic))DETAIL"

    static func row(_ stored: StoredDeadLetter) -> String {
        let letter = stored.letter
        let time = Timestamp(microseconds: letter.receivedAt.microseconds / 1_000_000 * 1_000_000)
        let detail = printable(letter.detail) + (stored.waitsForRetry ? " (waits for its retry)" : "")
        return left("\(stored.id)", widths.id) + left("\(time)", 22) + left(letter.reason.rawValue, widths.reason)
            + left(printable(letter.topic), widths.topic) + detail
    }

    static func whole(_ stored: StoredDeadLetter, _ domain: String) -> String {
        let letter = stored.letter
        var lines = [
            "id        \(stored.id)", "domain    \(domain)", "received  \(letter.receivedAt)",
            "topic     \(printable(letter.topic))", "reason    \(letter.reason.rawValue)",
            "detail    \(printable(letter.detail))",
        ]
        if let overwrite = letter.overwrite { lines.append("overwrite \(printable(overwrite)) (user property)") }
        if stored.wasAccepted {
            lines.append("accepted  yes: the payload is what was left to write, in Windrow's words")
        }
        if stored.waitsForRetry { lines.append("retry     asked for") }
        if let obstacle = stored.obstacle { lines.append("retry     not possible: \(obstacle)") }
        let kept = letter.payload.count
        lines.append(
            "payload   \(letter.payloadSize) bytes\(kept < letter.payloadSize ? ", of which \(kept) are kept" : "")")
        lines.append(payload(letter.payload))
        return lines.joined(separator: "\n")
    }

    /// An object on one line.
    static func json(_ stored: StoredDeadLetter, _ domain: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let letter = stored.letter
        let text = String(validating: letter.payload, as: UTF8.self)
        return String(
            decoding: try encoder.encode(
                Object(
                    domain: domain, id: stored.id, receivedAt: "\(letter.receivedAt)", topic: letter.topic,
                    reason: letter.reason.rawValue, detail: letter.detail, overwrite: letter.overwrite, payload: text,
                    payloadBase64: text == nil ? Data(letter.payload).base64EncodedString() : nil,
                    payloadSize: letter.payloadSize, wasAccepted: stored.wasAccepted,
                    waitsForRetry: stored.waitsForRetry)), as: UTF8.self)
    }

    private struct Object: Encodable {
        var domain: String
        var id: Int64
        var receivedAt: String
        var topic: String
        var reason: String
        var detail: String
        var overwrite: String?
        var payload: String?
        var payloadBase64: String?
        var payloadSize: Int
        var wasAccepted: Bool
        var waitsForRetry: Bool
    }

    /// As it is if a terminal can show it, else in hexadecimal.
    private static func payload(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), text.unicodeScalars.allSatisfy(isPrintable) {
            return text
        }
        return stride(from: 0, to: bytes.count, by: 16).map { start in
            let line = bytes[start..<min(start + 16, bytes.count)]
            let hex = line.map { String(format: "%02x", $0) }.joined(separator: " ")
            let text = line.map { (0x20...0x7E).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
            return String(format: "%08x", start) + "  " + left(hex, 50) + text
        }.joined(separator: "\n")
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 1))
    }
}
