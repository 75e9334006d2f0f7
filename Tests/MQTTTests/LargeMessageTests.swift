import Testing

@testable import MQTT

/// A message takes no more memory than was allowed, and the next ones are not harmed.
@Suite struct LargeMessageTests {
    private let small = Recorder.Received(topic: "small", payload: [1, 2], size: 2, qos: 1)

    private func stream(_ large: [UInt8]) -> [UInt8] {
        let small = SentStream.publish(small, id: 3)
        return ScriptedBroker.acceptance + small + large + small + large + small
    }

    @Test("of a payload beyond the limit the beginning is kept and the true size told, in whatever pieces it comes")
    func payloadLimit() {
        let payload = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
        let message = Recorder.Received(
            topic: "large/topic", payload: payload, size: payload.count, qos: 1, isRetained: true, overwrite: "insert")
        var expected = message
        let bytes = stream(SentStream.publish(message, id: 9))
        for limit in [0, 1, 3, 50, 64, 100, 4095, 4999, 5000, 5001] {
            expected.payload = Array(payload.prefix(limit))
            for capacity in [16, 64, 512, 1 << 18] {
                for piece in [1, 33, 600, 100_000] {
                    let played = Played(bytes, payloadLimit: limit, capacity: capacity) { piece }
                    #expect(played.ending == nil)
                    // The small message's payload is longer than the smallest limits, too.
                    var small = small
                    small.payload = Array(small.payload.prefix(limit))
                    #expect(
                        played.messages == [small, expected, small, expected, small], "\(limit) \(capacity) \(piece)")
                    #expect(played.sent.count == 5 * 4)
                    #expect(played.capacity <= max(capacity, 4 * (limit + 200)), "\(limit) \(capacity) \(piece)")
                }
            }
        }
    }

    @Test("properties that are larger than any use are not kept, and the message says so")
    func properties() {
        let one = [0x26] + SentStream.text("overwrite") + SentStream.text(String(repeating: "x", count: 60_000))
        let message = Recorder.Received(topic: "large/topic", payload: Array("payload".utf8), size: 7, qos: 1)
        for count in [4, 5] {
            var expected = message
            if count == 5 {
                expected.lacksProperties = true
            } else {
                expected.overwrite = String(repeating: "x", count: 60_000)
            }
            let properties = Array(repeatElement(one, count: count).joined())
            let bytes = stream(SentStream.publish(message, id: 9, moreProperties: properties))
            for piece in [1000, 70_000, 1 << 20] {
                let played = Played(bytes, capacity: 1000) { piece }
                #expect(played.ending == nil)
                #expect(played.messages == [small, expected, small, expected, small])
                #expect(played.capacity <= 1 << 19)
            }
        }
    }

    @Test("a large message that is cut to pieces inside itself is malformed, not read beyond its end")
    func malformed() {
        // Properties, and a topic, that would end behind the packet.
        for head in [[0, 1, 0x74, 0, 1, 0xFF, 0xFF, 0x7F], [0xFF, 0xFF]] as [[UInt8]] {
            let body = head + [UInt8](repeating: 0x61, count: 3000)
            let played = Played(stream([0x32] + SentStream.variable(body.count) + body), capacity: 64)
            #expect(played.ending == .cutShort)
            #expect(played.messages == [small])
        }
    }

    @Test("memory grows by what has come, not by what was announced")
    func announced() {
        let head: [UInt8] = [0x32, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 0x74, 0, 1, 0]
        let played = Played(ScriptedBroker.acceptance + head + [UInt8](repeating: 1, count: 3000), capacity: 64)
        #expect(played.messages.isEmpty && played.ending == nil)
        #expect(played.capacity <= 8192)
    }
}
