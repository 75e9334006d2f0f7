/// Why a broker refused or ended something. MQTT 5, section 2.4; from `0x80` on they are failures.
public struct ReasonCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A success: the broker took the message, and has nobody to give it to.
    public static let noMatchingSubscribers = ReasonCode(rawValue: 0x10)
    public static let unspecified = ReasonCode(rawValue: 0x80)
    public static let malformedPacket = ReasonCode(rawValue: 0x81)
    public static let protocolError = ReasonCode(rawValue: 0x82)
    public static let unsupportedProtocolVersion = ReasonCode(rawValue: 0x84)
    public static let clientIDNotValid = ReasonCode(rawValue: 0x85)
    public static let badUserNameOrPassword = ReasonCode(rawValue: 0x86)
    public static let notAuthorized = ReasonCode(rawValue: 0x87)
    public static let serverUnavailable = ReasonCode(rawValue: 0x88)
    public static let serverBusy = ReasonCode(rawValue: 0x89)
    public static let banned = ReasonCode(rawValue: 0x8A)
    public static let serverShuttingDown = ReasonCode(rawValue: 0x8B)
    public static let badAuthenticationMethod = ReasonCode(rawValue: 0x8C)
    public static let keepAliveTimeout = ReasonCode(rawValue: 0x8D)
    public static let sessionTakenOver = ReasonCode(rawValue: 0x8E)
    public static let topicFilterInvalid = ReasonCode(rawValue: 0x8F)
    public static let receiveMaximumExceeded = ReasonCode(rawValue: 0x93)
    public static let topicAliasInvalid = ReasonCode(rawValue: 0x94)
    public static let packetTooLarge = ReasonCode(rawValue: 0x95)
    public static let quotaExceeded = ReasonCode(rawValue: 0x97)
    public static let administrativeAction = ReasonCode(rawValue: 0x98)
    public static let qosNotSupported = ReasonCode(rawValue: 0x9B)
    public static let useAnotherServer = ReasonCode(rawValue: 0x9C)
    public static let serverMoved = ReasonCode(rawValue: 0x9D)
    public static let sharedSubscriptionsNotSupported = ReasonCode(rawValue: 0x9E)
    public static let wildcardSubscriptionsNotSupported = ReasonCode(rawValue: 0xA2)
}

extension ReasonCode: CustomStringConvertible {
    /// The standard's name for the code, and the code.
    public var description: String {
        let digits = String(rawValue, radix: 16, uppercase: true)
        return "\(name) (reason 0x\(digits.count < 2 ? "0" : "")\(digits))"
    }

    private var name: String {
        switch rawValue {
        case 0x00: "success"
        case 0x01: "granted qos 1"
        case 0x02: "granted qos 2"
        case 0x04: "disconnect with will message"
        case 0x10: "no matching subscribers"
        case 0x11: "no subscription existed"
        case 0x18: "continue authentication"
        case 0x19: "re-authenticate"
        case 0x80: "unspecified error"
        case 0x81: "malformed packet"
        case 0x82: "protocol error"
        case 0x83: "implementation specific error"
        case 0x84: "unsupported protocol version"
        case 0x85: "client identifier not valid"
        case 0x86: "bad user name or password"
        case 0x87: "not authorized"
        case 0x88: "server unavailable"
        case 0x89: "server busy"
        case 0x8A: "banned"
        case 0x8B: "server shutting down"
        case 0x8C: "bad authentication method"
        case 0x8D: "keep alive timeout"
        case 0x8E: "session taken over"
        case 0x8F: "topic filter invalid"
        case 0x90: "topic name invalid"
        case 0x91: "packet identifier in use"
        case 0x92: "packet identifier not found"
        case 0x93: "receive maximum exceeded"
        case 0x94: "topic alias invalid"
        case 0x95: "packet too large"
        case 0x96: "message rate too high"
        case 0x97: "quota exceeded"
        case 0x98: "administrative action"
        case 0x99: "payload format invalid"
        case 0x9A: "retain not supported"
        case 0x9B: "qos not supported"
        case 0x9C: "use another server"
        case 0x9D: "server moved"
        case 0x9E: "shared subscriptions not supported"
        case 0x9F: "connection rate exceeded"
        case 0xA0: "maximum connect time"
        case 0xA1: "subscription identifiers not supported"
        case 0xA2: "wildcard subscriptions not supported"
        default: "unknown reason"
        }
    }
}

extension ReasonCode {
    /// Whether it says no. MQTT 5, section 2.4.
    public var isFailure: Bool { rawValue >= 0x80 }

    /// What the operator can do about it.
    public var hint: String? {
        switch self {
        case .unsupportedProtocolVersion: "the broker must speak MQTT 5"
        case .clientIDNotValid: "choose another client id"
        case .badUserNameOrPassword: "check user name and password against the broker's"
        case .notAuthorized:
            "check user name and password; the broker's access rules must allow this client, user and topic"
        case .banned: "the broker's access rules must allow this client and user"
        case .serverUnavailable, .serverBusy, .serverShuttingDown: "the broker is not ready; it is tried again"
        case .badAuthenticationMethod: "the broker asks for enhanced authentication; let it take a password instead"
        case .keepAliveTimeout: "the broker heard nothing for too long; a longer keep-alive may help"
        case .sessionTakenOver: "another client uses the same client id; each needs one of its own"
        case .topicFilterInvalid: "check the topic filter's wildcards"
        case .packetTooLarge, .quotaExceeded: "check the broker's limits for this client"
        case .administrativeAction: "someone closed the connection at the broker"
        case .useAnotherServer, .serverMoved: "set the address of the broker that took its place"
        case .sharedSubscriptionsNotSupported: "use a filter without $share, or another broker"
        case .wildcardSubscriptionsNotSupported: "use filters without + and #, or another broker"
        default: nil
        }
    }
}
