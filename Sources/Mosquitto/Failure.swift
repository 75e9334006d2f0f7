import Glibc

/// What is known when a connection ends: from it comes the error that its owner is told.
struct Failure {
    var operation: MosquittoError.Operation
    var code: MosquittoError.Code
    var errno: Int32
    var phase: Connection.Phase
    var options: Client.Options
    var refusal: ReasonCode?
    var endReason: ReasonCode?
    var errorLines: [String]

    var error: MosquittoError {
        if let refusal {
            return MosquittoError(
                operation: .connect, code: .refused, reason: refusal,
                message: "the broker refused the connection: \(refusal)", hint: refusal.hint)
        }
        // The broker's DISCONNECT is a success to libmosquitto.
        if code == .success, let endReason {
            return MosquittoError(
                operation: operation, code: .connectionLost, reason: endReason,
                message: "the broker ended the connection: \(endReason)", hint: endReason.hint)
        }
        if phase != .open, let tls = TLSFailure(errorLines: errorLines, options: options) {
            return MosquittoError(operation: .connect, code: .tls, message: tls.message, hint: tls.hint)
        }
        // The number is of no use: closing TLS overwrites it. The broker's reason is lost, too, if its reset overtakes
        // it, as it can with TLS 1.3, where the broker checks the client's certificate after the client is done.
        if code == .system, phase != .reaching, options.tls != nil {
            return MosquittoError(
                operation: operation, code: .tls, message: "the TLS connection broke",
                hint: phase == .open ? nil : openHint)
        }
        return MosquittoError(
            operation: operation, code: code, errno: code == .system ? errno : 0, message: message, hint: hint)
    }

    private var message: String {
        switch code {
        case .system: "\(code.message(errno: errno)) (\(options.address))"
        case .timedOut: "no connection to \(options.address) within \(options.connectTimeout)"
        case .nameLookup: "cannot find the host \(options.host): \(code.message(errno: errno))"
        case .connectionLost where phase != .open: "\(options.address) closed without accepting"
        default: code.message(errno: errno)
        }
    }

    private var openHint: String {
        options.tls == nil
            ? "is this an MQTT 5 broker's port, one without TLS?"
            : "is this an MQTT 5 broker's port, one with TLS? Does the broker accept the client certificate?"
    }

    private var hint: String? {
        switch (code, phase) {
        case (.nameLookup, _): "check the host's name, and this machine's DNS"
        case (.timedOut, .reaching): "check the address, and the firewalls on the way"
        case (.timedOut, .opening), (.connectionLost, .opening), (.protocolViolation, .opening), (.system, .opening):
            openHint
        case (.connectionLost, .open): "the broker stopped, or another client uses the same client id"
        case (.system, .reaching) where errno == ECONNREFUSED: "is the broker running, and the port right?"
        case (.system, .reaching) where errno == ENETUNREACH || errno == EHOSTUNREACH:
            "check the address, and this machine's network"
        case (.keepAlive, _): "check the network, and whether the broker hangs"
        case (.malformedUTF8, _):
            "a topic or property has characters that libmosquitto refuses; "
                + "the message comes again until it is taken off the broker"
        default: nil
        }
    }
}
