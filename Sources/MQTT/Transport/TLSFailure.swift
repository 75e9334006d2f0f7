internal import COpenSSL
import Glibc

/// Why TLS failed, in words for the operator.
struct TLSFailure: Error {
    var message: String
    var hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    /// Nil if the broker's certificate is not to blame.
    ///
    /// - Parameter result: an `X509_V_…`
    init?(verifying result: Int, _ tls: Client.TLS, _ options: Client.Options) {
        guard result != Int(X509_V_OK) else { return nil }
        let text = String(cString: X509_verify_cert_error_string(result))
        message = "the broker's certificate is not accepted: \(text)"
        hint =
            switch Int32(result) {
            case X509_V_ERR_CERT_HAS_EXPIRED: "renew the broker's certificate; or is this machine's clock right?"
            case X509_V_ERR_CERT_NOT_YET_VALID: "is this machine's clock right?"
            case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
                "the broker's certificate must be made out to \(options.host)"
            default:
                "the broker's certificate must be signed by \(tls.caFile ?? "an authority of the system")"
            }
    }

    /// From the errors that OpenSSL has queued for this thread.
    static func queued(_ options: Client.Options) -> Self {
        let errors = queued()
        return Self(errors.text, hint: errors.reason.flatMap { hint($0, options) })
    }

    /// The peer closed in the middle of the handshake.
    static func brokenOff(_ options: Client.Options) -> Self {
        Self("the broker broke off", hint: hint(SSL_R_UNEXPECTED_EOF_WHILE_READING, options))
    }

    private static func hint(_ reason: Int32, _ options: Client.Options) -> String? {
        switch reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_HTTP_REQUEST:
            "the broker does not speak TLS on port \(options.port)"
        case SSL_R_UNEXPECTED_EOF_WHILE_READING:
            "does it speak TLS on port \(options.port), and accept the client certificate?"
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
            SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_TLSV1_ALERT_ACCESS_DENIED:
            "the broker asks for a client certificate that it accepts; set certificate and key"
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_UNSUPPORTED_PROTOCOL:
            "the broker must speak TLS 1.2 or later"
        default: nil
        }
    }

    /// OpenSSL's errors of this thread.
    struct Queued {
        var text = ""
        /// The first that its SSL library wrote.
        var reason: Int32?
        /// A passphrase was asked for.
        var isLocked = false
    }

    static func queued() -> Queued {
        var queued = Queued()
        var texts: [String] = []
        while true {
            let error = ERR_get_error()
            if error == 0 { break }
            let reason = ERR_GET_REASON(error)
            if let text = ERR_reason_error_string(error) { texts.append(String(cString: text)) }
            switch ERR_GET_LIB(error) {
            case ERR_LIB_SSL: queued.reason = queued.reason ?? reason
            case ERR_LIB_PEM: queued.isLocked = queued.isLocked || reason == PEM_R_BAD_PASSWORD_READ
            default: break
            }
        }
        queued.text = texts.isEmpty ? "OpenSSL says no more" : texts.joined(separator: "; ")
        return queued
    }
}
