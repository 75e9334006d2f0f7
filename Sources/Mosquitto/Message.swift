internal import CMosquitto
import Glibc

/// A received message. It lies in libmosquitto's memory and lives for the one call of `ClientHandler.received`.
public struct Message: ~Copyable {
    @usableFromInline let topicBytes: UnsafeBufferPointer<UInt8>
    @usableFromInline let payloadBytes: UnsafeRawBufferPointer
    private let properties: OpaquePointer?

    /// 0 or 1: this client asks for 1, and a broker may lower it.
    public let qos: UInt8
    /// It was stored at the broker before the subscription was made, rather than published to it. MQTT 5, section
    /// 3.3.1.3.
    public let isRetained: Bool

    init(_ message: mosquitto_message, properties: OpaquePointer?) {
        // libmosquitto ends the topic with a NUL and has made sure that it is UTF-8 with no other NUL.
        let topic = UnsafeRawPointer(message.topic!)
        topicBytes = UnsafeBufferPointer(
            start: topic.assumingMemoryBound(to: UInt8.self), count: strlen(message.topic))
        payloadBytes = UnsafeRawBufferPointer(
            start: message.payload.map { UnsafeRawPointer($0) }, count: Int(message.payloadlen))
        self.properties = properties
        qos = UInt8(truncatingIfNeeded: message.qos)
        isRetained = message.retain
    }

    /// The topic's bytes: UTF-8 without control characters. The pointer must not outlive `body`.
    @inlinable
    public func withTopic<R, E: Error>(_ body: (UnsafeBufferPointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try body(topicBytes)
    }

    /// The payload, as it was published: any bytes, or none. The pointer must not outlive `body`.
    @inlinable
    public func withPayload<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(payloadBytes)
    }

    /// The value of a user property; of the last one, if several bear the name. MQTT 5, section 3.3.2.3.7.
    ///
    /// Costs nothing for a message without properties.
    public func userProperty(_ name: String) -> String? {
        var found: String?
        var property = properties
        while let current = property {
            if mosquitto_property_identifier(current) == MQTT_PROP_USER_PROPERTY.rawValue,
                let value = value(of: current, ifNamed: name)
            {
                found = value
            }
            property = mosquitto_property_next(current)
        }
        return found
    }

    private func value(of property: OpaquePointer, ifNamed name: String) -> String? {
        var foundName: UnsafeMutablePointer<CChar>?
        var foundValue: UnsafeMutablePointer<CChar>?
        let identifier = Int32(MQTT_PROP_USER_PROPERTY.rawValue)
        // Both strings are copies for us to free; they are nil if memory ran out.
        _ = mosquitto_property_read_string_pair(property, identifier, &foundName, &foundValue, false)
        defer {
            free(foundName)
            free(foundValue)
        }
        guard let foundName, let foundValue, strcmp(foundName, name) == 0 else { return nil }
        return String(cString: foundValue)
    }
}
