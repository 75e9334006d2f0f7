/// What a client tells its owner. Every call comes from within `Client.read(limit:)`, on the thread that made it.
///
/// From within these calls, `subscribe`, `unsubscribe` and `publish` are the only methods of the client that may be called.
/// The end of a connection is not told here: it is thrown, once, by the call that met it.
public protocol ClientHandler: AnyObject {
    /// The broker accepted the connection. Subscribe now, in any case: a session does not prove which subscriptions it
    /// holds.
    /// - Parameter sessionPresent: the broker kept the session, and with it what was published in the meantime.
    func connected(sessionPresent: Bool)

    /// The broker's answer to `subscribe`, one result for each filter, in their order.
    func subscribed(_ messageID: MessageID, results: [SubscriptionResult])

    /// The broker's answer to `unsubscribe`.
    func unsubscribed(_ messageID: MessageID)

    /// A message arrived; it is acknowledged by the next `Client.write()`. It is gone when this call returns.
    func received(_ message: borrowing Message)

    /// The broker's answer to `publish`; each message gets one, over as many connections as it takes. If it is no failure the broker
    /// has the message; at `.noMatchingSubscribers` it has thrown it away.
    /// - Parameter token: what `publish` was given.
    func published(_ token: UInt64, _ reason: ReasonCode)
}

extension ClientHandler {
    /// For those that publish nothing.
    public func published(_ token: UInt64, _ reason: ReasonCode) {}
}

/// Tells which `subscribe` or `unsubscribe` an answer belongs to.
public struct MessageID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }
}

/// The broker's answer for one filter. MQTT 5, section 3.9.3.
public enum SubscriptionResult: Hashable, Sendable {
    /// The highest QoS at which the broker will send.
    case granted(qos: UInt8)
    case refused(ReasonCode)

    init(_ code: UInt8) {
        self = code < 0x80 ? .granted(qos: code) : .refused(ReasonCode(rawValue: code))
    }
}
