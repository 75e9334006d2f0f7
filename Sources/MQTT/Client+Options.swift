extension Client {
    /// Where a client connects and how. Each `connect()` applies them anew, and reads the TLS files anew.
    public struct Options: Sendable {
        /// Names the session at the broker. Must stay the same across restarts and be no other client's.
        public var clientID: String
        /// A name or an IP address. With TLS, the broker's certificate must be made out to it.
        public var host: String
        public var port: UInt16
        public var username: String?
        public var password: String?
        /// Nil connects without TLS.
        public var tls: TLS?
        /// 0 (never check) or 5 and more. The broker may ask for another value. MQTT 5, section 3.1.2.10.
        public var keepAliveSeconds: UInt16
        /// How long the broker keeps session and messages after a connection ends; `UInt32.max` is for ever.
        /// MQTT 5, section 3.1.2.11.2.
        public var sessionExpirySeconds: UInt32
        /// How many messages the broker may send ahead of their acknowledgement; not 0. MQTT 5, section 3.1.2.11.3.
        public var receiveMaximum: UInt16
        /// Messages, and bytes of them, that may be published ahead of the broker's answer, which may allow fewer; not 0. One message
        /// may always be, however large.
        public var inFlightMessages: UInt16
        public var inFlightBytes: Int
        /// Bytes of a payload that are kept. Of a larger one the rest is thrown away as it comes, so that no message can
        /// take more memory; no less than 0.
        public var payloadLimit: Int
        /// From `connect()` to the broker's acceptance: TCP, TLS and MQTT together. The name lookup is not counted in:
        /// it blocks, for as long as `resolv.conf` says. If the host has several addresses, each but the last is given
        /// an equal share of what is left.
        public var connectTimeout: Duration

        public init(
            clientID: String, host: String, port: UInt16 = 1883, username: String? = nil, password: String? = nil,
            tls: TLS? = nil, keepAliveSeconds: UInt16 = 30, sessionExpirySeconds: UInt32 = 7 * 86_400,
            receiveMaximum: UInt16 = .max, inFlightMessages: UInt16 = .max, inFlightBytes: Int = 1 << 24,
            payloadLimit: Int = 268_435_455, connectTimeout: Duration = .seconds(10)
        ) {
            self.clientID = clientID
            self.host = host
            self.port = port
            self.username = username
            self.password = password
            self.tls = tls
            self.keepAliveSeconds = keepAliveSeconds
            self.sessionExpirySeconds = sessionExpirySeconds
            self.receiveMaximum = receiveMaximum
            self.inFlightMessages = inFlightMessages
            self.inFlightBytes = inFlightBytes
            self.payloadLimit = payloadLimit
            self.connectTimeout = connectTimeout
        }
    }

    /// TLS 1.2 or later. The broker's certificate and its host name are always verified. All files are PEM.
    public struct TLS: Sendable {
        /// The authorities to trust; nil trusts those of the system.
        public var caFile: String?
        /// The client's own certificate, with the chain after it; goes with `keyFile`.
        public var certificateFile: String?
        /// Must not be encrypted: there is nobody to ask for a passphrase.
        public var keyFile: String?

        public init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
            self.caFile = caFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }
}

extension Client.Options: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the password.
    public var description: String { "\(clientID) at \(address)\(tls == nil ? "" : " (TLS)")" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }

    var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Client.Options {
    /// Refuses what no broker and no time would make right.
    func validate() throws(MQTTError) {
        try demand(isText(clientID), "the client id must be 1 to 65535 bytes of text without control characters")
        try demand(isText(host), "the host must not be empty or hold control characters")
        try demand(port != 0, "the port must be 1 to 65535")
        try demand(
            username.map(isText) ?? true, "the user name must be 1 to 65535 bytes of text without control characters")
        try demand(
            password.map { $0.utf8.count <= UInt16.max && !$0.utf8.contains(0) } ?? true,
            "the password must be at most 65535 bytes and hold no NUL")
        try demand(keepAliveSeconds == 0 || keepAliveSeconds >= 5, "the keep-alive must be 0 or at least 5 seconds")
        try demand(receiveMaximum > 0, "the receive maximum must be at least 1")
        try demand(inFlightMessages > 0 && inFlightBytes > 0, "at least one message must be allowed in flight")
        try demand(payloadLimit >= 0, "the payload limit must not be negative")
        try demand(connectTimeout > .zero, "the connect timeout must be longer than nothing")
        try demand(
            (tls?.certificateFile == nil) == (tls?.keyFile == nil), "a client certificate and its key go together")
    }

    private func isText(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= UInt16.max
            && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    private func demand(_ condition: Bool, _ message: String) throws(MQTTError) {
        if !condition { throw MQTTError(operation: .configure, code: .invalid, message: message) }
    }
}
