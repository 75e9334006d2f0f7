internal import CMosquitto
import Glibc

/// What went wrong between this process and a broker. Holds no password and no payload.
///
/// An error of `.configure` comes from `Client.init` only, and stays until the options change. After one of
/// `.subscribe` or `.unsubscribe` the connection goes on. Any other has ended the connection, and what was not
/// acknowledged comes again: drop it, wait a little and `connect()` anew.
public struct MosquittoError: Error, Sendable, Equatable {
    /// What was being done.
    public enum Operation: String, Sendable {
        case configure, connect, read, write
        case keepAlive = "keep alive"
        case subscribe, unsubscribe
    }

    public var operation: Operation
    public var code: Code
    /// The system's error number, if `code` is `.system`; else 0.
    public var errno: Int32
    /// Why the broker refused or ended the connection, if it said so.
    public var reason: ReasonCode?
    /// One line, for people.
    public var message: String
    /// What the operator can do, where there is something.
    public var hint: String?

    /// Whether the connection that threw this is over.
    public var endsConnection: Bool {
        switch operation {
        case .connect, .read, .write, .keepAlive: true
        case .configure, .subscribe, .unsubscribe: false
        }
    }

    init(
        operation: Operation, code: Code, errno: Int32 = 0, reason: ReasonCode? = nil, message: String,
        hint: String? = nil
    ) {
        self.operation = operation
        self.code = code
        self.errno = errno
        self.reason = reason
        self.message = message
        self.hint = hint
    }

    /// libmosquitto's `MOSQ_ERR_…`.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int32

        public init(rawValue: Int32) { self.rawValue = rawValue }

        public static let outOfMemory = Code(rawValue: MOSQ_ERR_NOMEM.rawValue)
        /// The peer does not keep to MQTT 5, or is no MQTT broker.
        public static let protocolViolation = Code(rawValue: MOSQ_ERR_PROTOCOL.rawValue)
        public static let invalid = Code(rawValue: MOSQ_ERR_INVAL.rawValue)
        public static let notConnected = Code(rawValue: MOSQ_ERR_NO_CONN.rawValue)
        /// The broker said no; `reason` tells why.
        public static let refused = Code(rawValue: MOSQ_ERR_CONN_REFUSED.rawValue)
        /// The broker closed, with a `reason` or without, or died.
        public static let connectionLost = Code(rawValue: MOSQ_ERR_CONN_LOST.rawValue)
        public static let tls = Code(rawValue: MOSQ_ERR_TLS.rawValue)
        /// A system call failed; `errno` tells how.
        public static let system = Code(rawValue: MOSQ_ERR_ERRNO.rawValue)
        public static let nameLookup = Code(rawValue: MOSQ_ERR_EAI.rawValue)
        public static let malformedUTF8 = Code(rawValue: MOSQ_ERR_MALFORMED_UTF8.rawValue)
        public static let malformedPacket = Code(rawValue: MOSQ_ERR_MALFORMED_PACKET.rawValue)
        /// The broker left a ping unanswered.
        public static let keepAlive = Code(rawValue: MOSQ_ERR_KEEPALIVE.rawValue)
        public static let packetTooLarge = Code(rawValue: MOSQ_ERR_OVERSIZE_PACKET.rawValue)
        /// No connection came about within `connectTimeout`.
        public static let timedOut = Code(rawValue: MOSQ_ERR_TIMEOUT.rawValue)
    }
}

extension MosquittoError: CustomStringConvertible {
    public var description: String {
        "MQTT \(operation.rawValue): \(message)" + (hint.map { "; \($0)" } ?? "")
    }
}

extension MosquittoError {
    static func notConnected(_ operation: Operation) -> Self {
        Self(operation: operation, code: .notConnected, message: "there is no connection")
    }
}

extension MosquittoError.Code {
    static let success = Self(rawValue: MOSQ_ERR_SUCCESS.rawValue)

    /// libmosquitto's words for the code, or ours where 2.0.11 has none.
    func message(errno: Int32) -> String {
        switch self {
        case .system: errno == 0 ? "the connection broke" : systemMessage(errno)
        // For a failed lookup libmosquitto puts getaddrinfo's code into errno.
        case .nameLookup: String(cString: gai_strerror(errno))
        case .keepAlive: "the broker left a ping unanswered"
        case .timedOut: "no connection in time"
        default: withoutFullStop(String(cString: mosquitto_strerror(rawValue)))
        }
    }
}

/// `strerror` shares its memory between threads.
func systemMessage(_ errno: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        strerror_r(errno, buffer.baseAddress!, buffer.count) == 0
            ? String(cString: buffer.baseAddress!) : "system error \(errno)"
    }
}

private func withoutFullStop(_ text: String) -> String {
    text.hasSuffix(".") ? String(text.dropLast()) : text
}
