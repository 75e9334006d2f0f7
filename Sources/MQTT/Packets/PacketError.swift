/// Why bytes from a broker are no MQTT 5, or none that this client asked for.
enum PacketError: Error, Hashable {
    case malformedLength
    case malformedFlags
    case cutShort
    case trailingBytes
    case malformedText
    case unknownProperty
    case propertyTwice
    case propertyValue
    case tooLarge
    case unexpectedPacket
    case unaskedAnswer
    case answerCount
    case oldProtocol
    case unknownResult
    case topicText
    case topicWildcard
    case topicEmpty
    case topicAlias
    case qosTooHigh
    case qosMalformed
    case noMessageID

    /// What the broker is told. MQTT 5, section 4.13.
    var reason: ReasonCode {
        switch self {
        case .malformedLength, .malformedFlags, .cutShort, .trailingBytes, .malformedText, .unknownProperty,
            .topicText, .qosMalformed:
            .malformedPacket
        case .propertyTwice, .propertyValue, .unexpectedPacket, .unaskedAnswer, .answerCount, .oldProtocol,
            .unknownResult, .topicWildcard, .topicEmpty, .noMessageID:
            .protocolError
        case .tooLarge: .packetTooLarge
        case .topicAlias: .topicAliasInvalid
        case .qosTooHigh: .qosNotSupported
        }
    }

    var code: MQTTError.Code {
        switch self {
        case .malformedText, .topicText: .malformedUTF8
        case .tooLarge: .packetTooLarge
        default: reason == .malformedPacket ? .malformedPacket : .protocolViolation
        }
    }

    /// What the broker sent.
    var description: String {
        switch self {
        case .malformedLength: "a length that is none"
        case .malformedFlags: "a packet of no known kind"
        case .cutShort: "a packet that ends before its content does"
        case .trailingBytes: "a packet that goes on behind its content"
        case .malformedText: "a text that is not UTF-8, or holds NUL"
        case .unknownProperty: "a property that does not belong into its packet"
        case .propertyTwice: "a property twice"
        case .propertyValue: "a property with a value that it cannot have"
        case .tooLarge: "a packet that is too large"
        case .unexpectedPacket: "a packet that no broker may send now"
        case .unaskedAnswer: "an answer to no request"
        case .answerCount: "an answer with other than one result for each filter"
        case .oldProtocol: "an acceptance of an MQTT before 5"
        case .unknownResult: "an answer that neither accepts nor refuses"
        case .topicText: "a message with a topic that is not UTF-8, or holds NUL"
        case .topicWildcard: "a message with a wildcard in its topic"
        case .topicEmpty: "a message without a topic"
        case .topicAlias: "a message with a topic alias, which was not allowed"
        case .qosTooHigh: "a message at QoS 2, which was not asked for"
        case .qosMalformed: "a message at a QoS that there is not"
        case .noMessageID: "a message at QoS 1 without an identifier"
        }
    }

    /// What the operator can do about it, or should know.
    var hint: String? {
        switch self {
        case .topicText, .topicWildcard, .topicEmpty, .topicAlias, .malformedText:
            "a broker should take no such message; it comes again until it is taken off the broker"
        case .qosTooHigh:
            "the session was used by another client before; choose another client id, or end the session at the broker"
        case .oldProtocol: ReasonCode.unsupportedProtocolVersion.hint
        default: nil
        }
    }
}
