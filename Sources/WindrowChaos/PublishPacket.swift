/// MQTT 5 packets of a publishing client. OASIS standard, chapters 3.1 and 3.3.
enum PublishPacket {
    /// Protocol level 5, clean start, keep-alive off, no properties, client id chosen by the broker.
    static let connect: [UInt8] = [0x10, 13, 0, 4] + Array("MQTT".utf8) + [5, 2, 0, 0, 0, 0, 0]

    /// A PUBLISH at QoS 1 without its packet identifier, which a repetition has anew.
    struct Body {
        let topic: [UInt8]
        let properties: [UInt8]
        let payload: [UInt8]

        init(topic: String, overwrite: String?, payload: String) {
            self.topic = Array(topic.utf8)
            properties = overwrite.map { [0x26] + PublishPacket.string("overwrite") + PublishPacket.string($0) } ?? []
            self.payload = Array(payload.utf8)
        }

        func packet(identifier: UInt16) -> [UInt8] {
            var packet: [UInt8] = [0x32]
            PublishPacket.append(variable: 2 + topic.count + 2 + 1 + properties.count + payload.count, to: &packet)
            packet += [UInt8(topic.count >> 8), UInt8(topic.count & 0xFF)]
            packet += topic
            packet += [UInt8(identifier >> 8), UInt8(identifier & 0xFF)]
            // Shorter than 128 bytes: a length of one byte.
            packet.append(UInt8(properties.count))
            packet += properties
            packet += payload
            return packet
        }
    }

    private static func string(_ text: String) -> [UInt8] {
        [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xFF)] + Array(text.utf8)
    }

    /// A Variable Byte Integer, chapter 1.5.5.
    private static func append(variable number: Int, to packet: inout [UInt8]) {
        var rest = number
        repeat {
            packet.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
    }
}
