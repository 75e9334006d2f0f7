/// A received message. It lies in the receive buffer and lives for the one call of `ClientHandler.received`.
public struct Message: ~Copyable {
    @usableFromInline let topicBytes: UnsafeBufferPointer<UInt8>
    @usableFromInline let payloadBytes: UnsafeRawBufferPointer
    @usableFromInline let properties: UnsafeRawBufferPointer

    /// 0 or 1: this client asks for 1, and a broker may lower it.
    public let qos: UInt8
    /// It was stored at the broker before the subscription was made, rather than published to it. MQTT 5, section
    /// 3.3.1.3.
    public let isRetained: Bool
    /// Bytes of the payload as it was published. More than `withPayload` gives if it is larger than
    /// `Client.Options.payloadLimit`.
    public let payloadSize: Int
    /// The message had more than 256 KiB of properties, none of which can be asked for.
    public let lacksProperties: Bool

    @inline(__always)
    init(_ publication: borrowing Publication) {
        topicBytes = publication.topic.assumingMemoryBound(to: UInt8.self)
        payloadBytes = publication.payload
        properties = publication.properties
        qos = publication.qos
        isRetained = publication.isRetained
        payloadSize = publication.payloadSize
        lacksProperties = publication.lostProperties > 0
    }

    /// The topic's bytes: UTF-8 without NUL and wildcards, at least one. The pointer must not outlive `body`.
    @inlinable
    public func withTopic<R, E: Error>(_ body: (UnsafeBufferPointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try body(topicBytes)
    }

    /// The payload, up to `Client.Options.payloadLimit`: any bytes, or none. The pointer must not outlive `body`.
    @inlinable
    public func withPayload<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(payloadBytes)
    }

    /// The value of a user property; of the last one, if several bear the name. MQTT 5, section 3.3.2.3.7.
    ///
    /// Costs nothing for a message without properties.
    @inlinable
    public func userProperty(_ name: String) -> String? {
        properties.isEmpty ? nil : find(name)
    }

    @usableFromInline
    func find(_ name: String) -> String? {
        var found: UnsafeRawBufferPointer?
        var reader = PropertyReader(properties, of: .publish)
        // They were looked through when the message came, so there is nothing left to fail.
        while let property = try? reader.next() {
            if property.name == .userProperty, property.key.elementsEqual(name.utf8) { found = property.value }
        }
        return found.map { String(decoding: $0, as: UTF8.self) }
    }
}
