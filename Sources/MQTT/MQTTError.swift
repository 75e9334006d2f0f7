import Glibc

/// What went wrong between this process and a broker. Holds no password and no payload.
///
/// An error of `.configure` comes from `Client.init` only, and stays until the options change. After one of
/// `.subscribe`, `.unsubscribe` or `.publish` the connection goes on. Any other has ended the connection, and what was not
/// acknowledged comes again: drop it, wait a little and `connect()` anew.
public struct MQTTError: Error, Sendable, Equatable {
    /// What was being done.
    public enum Operation: String, Sendable {
        case configure, connect, read, write
        case keepAlive = "keep alive"
        case subscribe, unsubscribe, publish
    }

    /// What kind of trouble it is.
    public enum Code: Sendable {
        /// What was asked for can never work.
        case invalid
        case notConnected
        case nameLookup
        /// No connection came about within `connectTimeout`.
        case timedOut
        /// A system call failed; `errno` tells how.
        case system
        case tls
        /// The broker said no; `reason` tells why.
        case refused
        /// The broker closed, with a `reason` or without, or died.
        case connectionLost
        /// The broker left a ping unanswered.
        case keepAlive
        /// The peer sent what is no packet of MQTT 5.
        case malformedPacket
        /// A text or a topic in a packet is none.
        case malformedUTF8
        /// A packet is larger than its receiver takes.
        case packetTooLarge
        /// The peer sent packets that it may not send.
        case protocolViolation
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
        case .configure, .subscribe, .unsubscribe, .publish: false
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
}

extension MQTTError: CustomStringConvertible {
    public var description: String {
        "MQTT \(operation.rawValue): \(message)" + (hint.map { "; \($0)" } ?? "")
    }
}

extension MQTTError {
    static func notConnected(_ operation: Operation) -> Self {
        Self(operation: operation, code: .notConnected, message: "there is no connection")
    }
}

/// `strerror` shares its memory between threads.
func systemMessage(_ errno: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        strerror_r(errno, buffer.baseAddress!, buffer.count) == 0
            ? String(cString: buffer.baseAddress!) : "system error \(errno)"
    }
}
