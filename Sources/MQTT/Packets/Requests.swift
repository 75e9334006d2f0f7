/// The packets that a client sends, but for acknowledgements. MQTT 5, section 3.
enum Requests {
    static let ping: [UInt8] = [0xC0, 0]
    static let disconnect: [UInt8] = [0xE0, 0]

    static func disconnect(_ reason: ReasonCode) -> [UInt8] { [0xE0, 1, reason.rawValue] }

    /// The largest that there can be: five bytes of header, and what four of them can tell.
    static let largestPacket = 268_435_455 + 5

    /// Clean start is off, there is no will, and no topic alias is allowed. MQTT 5, section 3.1.
    static func connect(_ options: Client.Options) -> [UInt8] {
        var properties: [UInt8] = [0x11]
        properties.append(bigEndian: options.sessionExpirySeconds)
        properties.append(0x21)
        properties.append(bigEndian: options.receiveMaximum)
        var body: [UInt8] = []
        body.append(text: "MQTT")
        body.append(5)
        body.append((options.username == nil ? 0 : 0x80) | (options.password == nil ? 0 : 0x40))
        body.append(bigEndian: options.keepAliveSeconds)
        body.append(variable: properties.count)
        body += properties
        body.append(text: options.clientID)
        if let username = options.username { body.append(text: username) }
        if let password = options.password { body.append(text: password) }
        return packet(0x10, body)
    }

    /// At QoS 1. MQTT 5, section 3.8.
    static func subscribe(_ messageID: UInt16, _ filters: [String], retained: RetainedDelivery) -> [UInt8] {
        packet(0x82, request(messageID, filters, option: 0x01 | retained.handling << 4))
    }

    /// MQTT 5, section 3.10.
    static func unsubscribe(_ messageID: UInt16, _ filters: [String]) -> [UInt8] {
        packet(0xA2, request(messageID, filters, option: nil))
    }

    /// How a publication at QoS 1 begins, and one that is sent again.
    static let publish: UInt8 = 0x32
    static let publishAgain: UInt8 = 0x3A

    /// Bytes of a publication, properties there are none.
    static func publishSize(topic: Int, payload: Int) -> Int {
        let body = 2 + topic + 2 + 1 + payload
        return 1 + (body < 1 << 7 ? 1 : body < 1 << 14 ? 2 : body < 1 << 21 ? 3 : 4) + body
    }

    /// Writes a publication at QoS 1 into memory that has room for it. MQTT 5, section 3.3.
    static func publish(
        _ messageID: UInt16, _ topic: [UInt8], _ payload: [UInt8], to memory: UnsafeMutableRawBufferPointer
    ) {
        memory[0] = publish
        var place = 1
        var rest = 2 + topic.count + 2 + 1 + payload.count
        while rest >= 0x80 {
            memory[place] = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
            place += 1
        }
        memory[place] = UInt8(rest)
        place += 1
        memory.storeBytes(of: UInt16(topic.count).bigEndian, toByteOffset: place, as: UInt16.self)
        place += 2
        UnsafeMutableRawBufferPointer(rebasing: memory[place...]).copyBytes(from: topic)
        place += topic.count
        memory.storeBytes(of: messageID.bigEndian, toByteOffset: place, as: UInt16.self)
        memory[place + 2] = 0
        UnsafeMutableRawBufferPointer(rebasing: memory[(place + 3)...]).copyBytes(from: payload)
    }

    private static func request(_ messageID: UInt16, _ filters: [String], option: UInt8?) -> [UInt8] {
        var body: [UInt8] = []
        body.append(bigEndian: messageID)
        body.append(0)
        for filter in filters {
            body.append(text: filter)
            if let option { body.append(option) }
        }
        return body
    }

    private static func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
        var packet = [first]
        packet.append(variable: body.count)
        return packet + body
    }
}

extension RetainedDelivery {
    fileprivate var handling: UInt8 {
        switch self {
        case .always: 0
        case .toNewSubscription: 1
        case .never: 2
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Of at most 65,535 bytes, which `Client` has made sure of.
    fileprivate mutating func append(text: String) {
        append(bigEndian: UInt16(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(variable value: Int) {
        var value = value
        while value >= 0x80 {
            append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        append(UInt8(truncatingIfNeeded: value))
    }
}
