extension Configuration {
    /// One session with an MQTT broker, and what it subscribes to.
    public struct Broker: Hashable, Sendable {
        public var address: BrokerAddress
        /// Names the session, whose messages the broker keeps while we are away: 1 to 65,535 bytes of UTF-8, and no two sessions
        /// with one broker may share it, for the broker would disconnect one for the other (MQTT 5, section 3.1.4).
        public var clientID: String
        /// 1 to 65,535 bytes of UTF-8.
        public var username: String?
        /// At most 65,535 bytes. MQTT 5 allows it without a user name (section 3.1.2.9).
        public var password: Secret?
        /// All nil unless `address.tls`.
        public var tls: TLS
        /// How long the broker keeps the session and its messages after we are gone. Whole seconds, 1 to 2^32 - 2: one more would
        /// mean "for ever" (MQTT 5, section 3.1.2.11.2).
        public var sessionExpiry: Duration
        /// How many messages the broker may send before they are acknowledged; 1 to 65,535 (MQTT 5, section 3.1.2.11.3).
        public var receiveMaximum: UInt16
        /// Whole seconds, 5 to 3,600.
        public var keepAlive: Duration
        /// At least one, each topic once.
        public var subscriptions: [Subscription]

        public init(
            address: BrokerAddress, clientID: String, username: String? = nil, password: Secret? = nil,
            tls: TLS = TLS(),
            sessionExpiry: Duration = .seconds(7 * 86_400), receiveMaximum: UInt16 = .max,
            keepAlive: Duration = .seconds(30),
            subscriptions: [Subscription]
        ) {
            self.address = address
            self.clientID = clientID
            self.username = username
            self.password = password
            self.tls = tls
            self.sessionExpiry = sessionExpiry
            self.receiveMaximum = receiveMaximum
            self.keepAlive = keepAlive
            self.subscriptions = subscriptions
        }
    }

    /// The files of a TLS connection, PEM, as absolute paths that could be read when the configuration was loaded.
    public struct TLS: Hashable, Sendable {
        /// Whom the broker's certificate must come from; nil: the authorities that the system trusts.
        public var caFile: String?
        /// Our certificate and its key, if the broker asks for one: both or neither.
        public var certificateFile: String?
        public var keyFile: String?

        public init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
            self.caFile = caFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// A topic to subscribe to, and how its messages are understood.
    public struct Subscription: Hashable, Sendable {
        public var topic: TopicTemplate
        /// The mode of messages that don't state one. `replaceWindow` makes a stream window.
        public var overwrite: Overwrite
        /// The unit of numeric timestamps; nil rejects them.
        public var epoch: EpochUnit?
        /// A longer silence between two points ends a stream window; above 0, at most 36,500 days.
        public var maxGap: Duration
        /// A stream window spans no more than this; above 0, at most the domain's `replace.maxSpan`.
        public var maxSpan: Duration

        public init(
            topic: TopicTemplate, overwrite: Overwrite = .insert, epoch: EpochUnit? = nil,
            maxGap: Duration = .seconds(3600),
            maxSpan: Duration = .seconds(86_400)
        ) {
            self.topic = topic
            self.overwrite = overwrite
            self.epoch = epoch
            self.maxGap = maxGap
            self.maxSpan = maxSpan
        }
    }
}
