internal import CMosquitto

/// Why a broker refused or ended something. MQTT 5, section 2.4; from `0x80` on they are failures.
public struct ReasonCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let unspecified = ReasonCode(rawValue: 0x80)
    public static let unsupportedProtocolVersion = ReasonCode(rawValue: 0x84)
    public static let clientIDNotValid = ReasonCode(rawValue: 0x85)
    public static let badUserNameOrPassword = ReasonCode(rawValue: 0x86)
    public static let notAuthorized = ReasonCode(rawValue: 0x87)
    public static let serverUnavailable = ReasonCode(rawValue: 0x88)
    public static let serverBusy = ReasonCode(rawValue: 0x89)
    public static let banned = ReasonCode(rawValue: 0x8A)
    public static let serverShuttingDown = ReasonCode(rawValue: 0x8B)
    public static let keepAliveTimeout = ReasonCode(rawValue: 0x8D)
    public static let sessionTakenOver = ReasonCode(rawValue: 0x8E)
    public static let topicFilterInvalid = ReasonCode(rawValue: 0x8F)
    public static let receiveMaximumExceeded = ReasonCode(rawValue: 0x93)
    public static let packetTooLarge = ReasonCode(rawValue: 0x95)
    public static let quotaExceeded = ReasonCode(rawValue: 0x97)
    public static let administrativeAction = ReasonCode(rawValue: 0x98)
    public static let sharedSubscriptionsNotSupported = ReasonCode(rawValue: 0x9E)
    public static let wildcardSubscriptionsNotSupported = ReasonCode(rawValue: 0xA2)
}

extension ReasonCode: CustomStringConvertible {
    /// The standard's name for the code, and the code.
    public var description: String {
        let digits = String(rawValue, radix: 16, uppercase: true)
        return String(cString: mosquitto_reason_string(Int32(rawValue))).lowercased()
            + " (reason 0x\(digits.count < 2 ? "0" : "")\(digits))"
    }
}

extension ReasonCode {
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
        case .keepAliveTimeout: "the broker heard nothing for too long; a longer keep-alive may help"
        case .sessionTakenOver: "another client uses the same client id; each needs one of its own"
        case .topicFilterInvalid: "check the topic filter's wildcards"
        case .packetTooLarge, .quotaExceeded: "check the broker's limits for this client"
        case .administrativeAction: "someone closed the connection at the broker"
        case .sharedSubscriptionsNotSupported: "use a filter without $share, or another broker"
        case .wildcardSubscriptionsNotSupported: "use filters without + and #, or another broker"
        default: nil
        }
    }
}
