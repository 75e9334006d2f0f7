/// A message that could not be accepted, kept with its reason until an operator deals with it.
public struct DeadLetter: Equatable, Sendable {
    /// A longer payload is kept up to here; `payloadSize` tells its whole length.
    public static let maximumPayload = 1 << 20

    public var receivedAt: Timestamp
    /// The MQTT topic. Bytes that are not UTF-8 are replaced.
    public var topic: String
    public var payload: [UInt8]
    /// Bytes that the sender sent.
    public var payloadSize: Int
    public var reason: Rejection.Reason
    public var detail: String
    /// The MQTT 5 user property of this name, if the message had it.
    public var overwrite: String?

    /// - Parameters:
    ///   - payload: its beginning, if it was too large to be received whole.
    ///   - payloadSize: bytes that the sender sent; nil if `payload` is all of them.
    ///   - limit: bytes of the payload that are kept.
    public init(
        receivedAt: Timestamp, topic: String, payload: UnsafeRawBufferPointer, payloadSize: Int? = nil,
        overwrite: String? = nil, rejection: Rejection, limit: Int = DeadLetter.maximumPayload
    ) {
        self.init(
            receivedAt: receivedAt, topic: topic, payload: Array(payload.prefix(limit)),
            payloadSize: payloadSize ?? payload.count,
            reason: rejection.reason, detail: rejection.whole, overwrite: overwrite)
    }

    init(
        receivedAt: Timestamp, topic: String, payload: [UInt8], payloadSize: Int, reason: Rejection.Reason,
        detail: String, overwrite: String?
    ) {
        self.receivedAt = receivedAt
        self.topic = topic
        self.payload = payload
        self.payloadSize = payloadSize
        self.reason = reason
        self.detail = detail
        self.overwrite = overwrite
    }

    /// What keeping it costs, in bytes.
    var byteCount: Int { payload.count + topic.utf8.count + detail.utf8.count + 64 }
}

extension Rejection {
    /// The detail with the place that it is about.
    var whole: String {
        guard let pointer, !pointer.isEmpty else { return detail }
        return "\(detail) (at \(pointer))"
    }
}
