// What a broker answers, decoded into values. It comes once a connection or once a request, so these may copy.

/// MQTT 5, section 3.2.
struct ConnectAnswer {
    var isSessionPresent = false
    var maximumPacketSize = Int.max
    /// How many messages the broker takes ahead of their acknowledgement.
    var receiveMaximum = Int(UInt16.max)
    var maximumQoS = 2
    /// Seconds; nil leaves it at what CONNECT said.
    var keepAlive: UInt16?
    /// Nil if the broker accepts.
    var refusal: Ending?

    init(_ body: UnsafeRawBufferPointer) throws(PacketError) {
        var reader = ByteReader(body)
        let flags = try reader.byte()
        guard flags <= 1 else { throw .malformedFlags }
        isSessionPresent = flags == 1
        let code = try reader.byte()
        // A broker that knows MQTT 3 only ends here.
        guard reader.count > 0 else {
            guard code != 0 else { throw .oldProtocol }
            refusal = .refused(Self.reason(ofMQTT3: code), nil)
            return
        }
        var text = Explanation()
        var properties = PropertyReader(try reader.properties(), of: .connack)
        while let property = try properties.next() {
            switch property.name {
            case .serverKeepAlive: keepAlive = UInt16(property.number)
            case .maximumPacketSize: maximumPacketSize = property.number
            case .receiveMaximum: receiveMaximum = property.number
            case .maximumQoS: maximumQoS = property.number
            default: text.add(property)
            }
        }
        try reader.expectEnd()
        guard code == 0 || code >= 0x80 else { throw .unknownResult }
        if code != 0 { refusal = .refused(ReasonCode(rawValue: code), text.description) }
    }

    /// MQTT 3.1.1, section 3.2.2.3.
    private static func reason(ofMQTT3 code: UInt8) -> ReasonCode {
        switch code {
        case 1: .unsupportedProtocolVersion
        case 2: .clientIDNotValid
        case 3: .serverUnavailable
        case 4: .badUserNameOrPassword
        case 5: .notAuthorized
        default: code < 0x80 ? .unspecified : ReasonCode(rawValue: code)
        }
    }
}

/// PUBACK. MQTT 5, section 3.4.
struct PublishAnswer {
    var messageID: UInt16
    /// Which needs not be said if it is 0.
    var reason = ReasonCode(rawValue: 0)

    init(_ body: UnsafeRawBufferPointer) throws(PacketError) {
        var reader = ByteReader(body)
        messageID = try reader.uint16()
        guard reader.count > 0 else { return }
        reason = ReasonCode(rawValue: try reader.byte())
        guard reason.rawValue >= 0x80 || reason.rawValue == 0 || reason == .noMatchingSubscribers else {
            throw .unknownResult
        }
        guard reader.count > 0 else { return }
        var properties = PropertyReader(try reader.properties(), of: .puback)
        while try properties.next() != nil {}
        try reader.expectEnd()
    }
}

/// SUBACK and UNSUBACK. MQTT 5, sections 3.9 and 3.11.
struct RequestAnswer {
    var messageID: UInt16
    /// One for each filter.
    var codes: UnsafeRawBufferPointer

    init(_ packet: IncomingPacket) throws(PacketError) {
        var reader = ByteReader(packet.body)
        messageID = try reader.uint16()
        var properties = PropertyReader(try reader.properties(), of: packet.kind)
        while try properties.next() != nil {}
        codes = reader.rest
    }
}

/// MQTT 5, section 3.14.
struct Disconnection {
    var reason = ReasonCode(rawValue: 0)
    var explanation: String?

    init(_ body: UnsafeRawBufferPointer) throws(PacketError) {
        var reader = ByteReader(body)
        if reader.count > 0 { reason = ReasonCode(rawValue: try reader.byte()) }
        guard reader.count > 0 else { return }
        var text = Explanation()
        var properties = PropertyReader(try reader.properties(), of: .disconnect)
        while let property = try properties.next() { text.add(property) }
        try reader.expectEnd()
        explanation = text.description
    }
}

/// What a broker says about a reason in its own words, fit for one line of a log.
private struct Explanation {
    private var texts: [String] = []

    mutating func add(_ property: Property) {
        switch property.name {
        case .reasonString: texts.append(Self.line(property.value))
        case .serverReference: texts.append("use \(Self.line(property.value))")
        default: break
        }
    }

    var description: String? { texts.isEmpty ? nil : texts.joined(separator: "; ") }

    private static func line(_ bytes: UnsafeRawBufferPointer) -> String {
        let text = String(decoding: bytes.prefix(300), as: UTF8.self)
        let safe = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) }
        return String(safe) + (bytes.count > 300 ? "…" : "")
    }
}

extension ByteReader {
    /// Properties behind the number of their bytes.
    fileprivate mutating func properties() throws(PacketError) -> UnsafeRawBufferPointer {
        try bytes(try variable())
    }

    fileprivate func expectEnd() throws(PacketError) {
        guard count == 0 else { throw .trailingBytes }
    }
}
