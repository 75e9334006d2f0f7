/// Makes sense of the lines that libmosquitto logs when TLS fails; its error code says no more than that it did.
///
/// The lines look like `OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed`, where the
/// hexadecimal number holds OpenSSL's library (from bit 23) and reason (below), and like `Error: host name verification
/// failed.`
struct TLSFailure {
    var message: String
    var hint: String?

    /// Nil if there are no lines.
    init?(errorLines: [String], options: Client.Options) {
        guard options.tls != nil, !errorLines.isEmpty else { return nil }
        let lines = errorLines.map(Line.init)
        message = "TLS: " + lines.map(\.text).joined(separator: "; ")
        hint = lines.lazy.compactMap { $0.hint(options) }.first
    }

    private struct Line {
        var text: String
        /// OpenSSL's reason, if its SSL library wrote the line. The numbers are those of openssl/sslerr.h.
        var reason: UInt32?

        init(_ line: String) {
            let parts = line.split(separator: ":", maxSplits: 4, omittingEmptySubsequences: false)
            if line.hasPrefix("OpenSSL Error"), parts.count == 5, let number = UInt32(parts[2], radix: 16) {
                text = String(parts[4].drop { $0 == ":" })
                reason = (number >> 23) & 0xFF == 20 ? number & 0x7F_FFFF : nil
            } else {
                text = line.hasPrefix("Error: ") ? String(line.dropFirst(7)) : line
            }
            if text.hasSuffix(".") { text.removeLast() }
        }

        func hint(_ options: Client.Options) -> String? {
            switch reason {
            case 134:  // certificate verify failed
                "the broker's certificate must be valid now, made out to \(options.host), "
                    + "and signed by \(options.tls?.caFile ?? "an authority of the system")"
            case 267: "the broker does not speak TLS on port \(options.port)"  // wrong version number
            case 294: "the broker broke off: does it speak TLS on port \(options.port)?"  // unexpected EOF
            case 1040, 1042, 1048, 1116:  // handshake failure, bad certificate, unknown CA, certificate required
                "the broker asks for a client certificate that it accepts; set certificate and key"
            default: nil
            }
        }
    }
}
