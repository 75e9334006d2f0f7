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

    /// - Parameter limit: bytes of the payload that are kept.
    public init(
        receivedAt: Timestamp, topic: String, payload: UnsafeRawBufferPointer, rejection: Rejection,
        limit: Int = DeadLetter.maximumPayload
    ) {
        self.receivedAt = receivedAt
        self.topic = topic
        self.payload = Array(payload.prefix(limit))
        payloadSize = payload.count
        reason = rejection.reason
        detail =
            rejection.pointer.map { $0.isEmpty ? rejection.detail : "\(rejection.detail) (at \($0))" }
            ?? rejection.detail
    }

    /// What keeping it costs, in bytes.
    var byteCount: Int { payload.count + topic.utf8.count + detail.utf8.count + 64 }
}
