/// One of the properties that a packet may bear. MQTT 5, section 2.2.2.2.
struct Property {
    enum Name: UInt8 {
        case payloadFormat = 0x01
        case messageExpiry = 0x02
        case contentType = 0x03
        case responseTopic = 0x08
        case correlationData = 0x09
        case subscriptionIdentifier = 0x0B
        case sessionExpiry = 0x11
        case assignedClientID = 0x12
        case serverKeepAlive = 0x13
        case authenticationMethod = 0x15
        case authenticationData = 0x16
        case responseInformation = 0x1A
        case serverReference = 0x1C
        case reasonString = 0x1F
        case receiveMaximum = 0x21
        case topicAliasMaximum = 0x22
        case topicAlias = 0x23
        case maximumQoS = 0x24
        case retainAvailable = 0x25
        case userProperty = 0x26
        case maximumPacketSize = 0x27
        case wildcardAvailable = 0x28
        case identifiersAvailable = 0x29
        case sharedAvailable = 0x2A
    }

    var name: Name
    /// Of a property that is a number.
    var number = 0
    /// Of one that is text or bytes, or a user property's value.
    var value = UnsafeRawBufferPointer(start: nil, count: 0)
    /// A user property's name.
    var key = UnsafeRawBufferPointer(start: nil, count: 0)
}

/// Reads a packet's properties one by one, in the memory that they lie in, and lets none pass that is not as it must be.
struct PropertyReader {
    private var reader: ByteReader
    private let packet: PacketKind
    /// The names that have come, a bit each.
    private var seen: UInt64 = 0

    init(_ bytes: UnsafeRawBufferPointer, of packet: PacketKind) {
        reader = ByteReader(bytes)
        self.packet = packet
    }

    /// Nil at the end.
    mutating func next() throws(PacketError) -> Property? {
        guard reader.count > 0 else { return nil }
        // A variable byte integer, but all that there are take one byte.
        guard let name = Property.Name(rawValue: try reader.byte()), name.belongs(to: packet) else {
            throw .unknownProperty
        }
        let bit = UInt64(1) << UInt64(name.rawValue)
        guard seen & bit == 0 || name.mayRepeat else { throw .propertyTwice }
        seen |= bit
        var property = Property(name: name)
        switch name.form {
        case .flag:
            property.number = Int(try reader.byte())
            guard property.number <= 1 else { throw .propertyValue }
        case .uint16: property.number = Int(try reader.uint16())
        case .uint32: property.number = Int(try reader.uint32())
        case .variable: property.number = try reader.variable()
        case .text: property.value = try reader.text()
        case .binary: property.value = try reader.binary()
        case .pair:
            property.key = try reader.text()
            property.value = try reader.text()
        }
        guard property.number > 0 || !name.isPositive else { throw .propertyValue }
        return property
    }
}

extension Property.Name {
    fileprivate enum Form {
        case flag, uint16, uint32, variable, text, binary, pair
    }

    fileprivate var form: Form {
        switch self {
        case .payloadFormat, .maximumQoS, .retainAvailable, .wildcardAvailable, .identifiersAvailable, .sharedAvailable:
            .flag
        case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias: .uint16
        case .messageExpiry, .sessionExpiry, .maximumPacketSize: .uint32
        case .subscriptionIdentifier: .variable
        case .contentType, .responseTopic, .assignedClientID, .authenticationMethod, .responseInformation,
            .serverReference, .reasonString:
            .text
        case .correlationData, .authenticationData: .binary
        case .userProperty: .pair
        }
    }

    fileprivate var mayRepeat: Bool { self == .userProperty || self == .subscriptionIdentifier }

    fileprivate var isPositive: Bool {
        switch self {
        case .subscriptionIdentifier, .receiveMaximum, .maximumPacketSize: true
        default: false
        }
    }

    /// Whether a broker may send it with such a packet.
    fileprivate func belongs(to packet: PacketKind) -> Bool {
        switch self {
        case .userProperty: true
        case .payloadFormat, .messageExpiry, .contentType, .responseTopic, .correlationData, .subscriptionIdentifier,
            .topicAlias:
            packet == .publish
        case .reasonString: packet != .publish
        case .serverReference: packet == .connack || packet == .disconnect
        default: packet == .connack
        }
    }
}
