import Glibc

/// Why a connection ended, or did not come about.
enum Ending: Error {
    /// CONNACK said no, and perhaps something else.
    case refused(ReasonCode, String?)
    /// The broker's DISCONNECT.
    case disconnected(ReasonCode, String?)
    /// The broker does not keep to MQTT 5.
    case violation(PacketError)
    /// The broker closed without a word.
    case closed
    /// A system call failed, by errno. While connecting, there is one for each address that was tried.
    case system([Int32])
    /// getaddrinfo(3) failed, by its code.
    case nameLookup(Int32)
    case tls(TLSFailure)
    case timedOut
    case unansweredPing
}

extension MQTTError {
    /// What its owner is told about the end of a connection that got as far as the phase.
    init(_ operation: Operation, _ ending: Ending, _ phase: Connection.Phase, _ options: Client.Options) {
        let operation = phase == .open ? operation : .connect
        let address = options.address
        switch ending {
        case .refused(let reason, let text):
            self.init(
                operation: .connect, code: .refused, reason: reason,
                message: "the broker refused the connection: \(reason)\(said(text))", hint: reason.hint)
        case .disconnected(let reason, let text):
            let why = reason.rawValue == 0 ? ", and gave no reason" : ": \(reason)"
            self.init(
                operation: operation, code: .connectionLost, reason: reason,
                message: "the broker ended the connection\(why)\(said(text))", hint: reason.hint)
        case .violation(let error):
            self.init(
                operation: operation, code: error.code,
                message: "the broker does not keep to MQTT 5: it sent \(error.description)",
                hint: error.hint ?? (phase == .open ? nil : options.portHint))
        case .closed:
            self.init(
                operation: operation, code: .connectionLost,
                message: phase == .open ? "the broker closed the connection" : "\(address) closed without accepting",
                hint: phase == .open
                    ? "the broker stopped, or another client uses the same client id" : options.portHint)
        // With TLS 1.3 the broker looks at the client's certificate when the client is done, and its reset may overtake
        // what it says about it.
        case .system(let errors) where options.tls != nil && (phase == .securing || phase == .opening):
            self.init(
                operation: operation, code: .tls,
                message: "the TLS connection broke: \(errors.map(systemMessage).joined(separator: ", "))",
                hint: options.portHint)
        case .system(let errors):
            let last = errors.last ?? 0
            let messages = errors.reduce(into: [String]()) { messages, error in
                let message = systemMessage(error)
                if messages.last != message { messages.append(message) }
            }
            self.init(
                operation: operation, code: .system, errno: last,
                message: "\(messages.joined(separator: ", then ")) (\(address))",
                hint: phase == .reaching ? reachHint(last) : phase == .open ? nil : options.portHint)
        case .nameLookup(let code):
            self.init(
                operation: .connect, code: .nameLookup,
                message: "cannot find the host \(options.host): \(String(cString: gai_strerror(code)))",
                hint: "check the host's name, and this machine's DNS")
        case .tls(let failure):
            self.init(
                operation: operation, code: .tls, message: "TLS: \(failure.message)",
                hint: failure.hint ?? (phase == .open ? nil : options.portHint))
        case .timedOut:
            self.init(
                operation: .connect, code: .timedOut,
                message: "no connection to \(address) within \(options.connectTimeout)",
                hint: phase == .reaching ? "check the address, and the firewalls on the way" : options.portHint)
        case .unansweredPing:
            self.init(
                operation: .keepAlive, code: .keepAlive, message: "the broker left a ping unanswered",
                hint: "check the network, and whether the broker hangs")
        }
    }
}

private func said(_ text: String?) -> String { text.map { ", it says: \($0)" } ?? "" }

private func reachHint(_ error: Int32) -> String? {
    switch error {
    case ECONNREFUSED: "is the broker running, and the port right?"
    case ETIMEDOUT: "check the address, and the firewalls on the way"
    case ENETUNREACH, EHOSTUNREACH: "check the address, and this machine's network"
    default: nil
    }
}

extension Client.Options {
    fileprivate var portHint: String {
        tls == nil
            ? "is this an MQTT 5 broker's port, one without TLS?"
            : "is this an MQTT 5 broker's port, one with TLS? Does the broker accept the client certificate?"
    }
}
