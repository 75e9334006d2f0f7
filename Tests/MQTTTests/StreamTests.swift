import Testing

@testable import MQTT

/// However a broker's bytes come, the same is made of them; and whatever bytes they are, nothing breaks.
@Suite struct StreamTests {
    @Test("a stream of packets is decoded the same wherever it is cut in two")
    func everyBoundary() {
        var generator = SeededGenerator(seed: 1)
        for capacity in [16, 64, 1 << 18] {
            let stream = SentStream(packets: 12, around: min(capacity, 64), using: &generator)
            for cut in 0...stream.bytes.count {
                var pieces = [cut, .max][...]
                let played = Played(stream.bytes, capacity: capacity) { pieces.popFirst() ?? .max }
                #expect(played.ending == nil)
                #expect(played.events == stream.events, "cut at \(cut) with \(capacity)")
                #expect(played.sent == stream.acknowledgements)
            }
        }
    }

    @Test("a stream of packets is decoded the same in whatever pieces it comes, byte by byte too")
    func anyPieces() {
        for seed in 1...60 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let capacity = [16, 30, 64, 200, 1 << 12].randomElement(using: &generator)!
            let stream = SentStream(packets: 40, around: capacity, using: &generator)
            for most in [1, 2, 7, 50, 1000] {
                let limit = Int.random(in: 1...9, using: &generator)
                let played = Played(stream.bytes, capacity: capacity, limit: limit) {
                    Int.random(in: 1...most, using: &generator)
                }
                #expect(played.ending == nil, "seed \(seed)")
                #expect(played.events == stream.events, "seed \(seed), pieces up to \(most), capacity \(capacity)")
                #expect(played.sent == stream.acknowledgements, "seed \(seed)")
            }
        }
    }

    @Test("bytes gone wrong never break anything, and mean the same in whatever pieces they come")
    func mutated() {
        var endings = Set<PacketError>()
        for seed in 1...3000 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var bytes = SentStream(packets: 6, around: 64, using: &generator).bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) { Self.mutate(&bytes, using: &generator) }
            let (limit, capacity) = (Int.random(in: 0...100, using: &generator), 64)
            let whole = Played(bytes, payloadLimit: limit, capacity: capacity)
            let cut = Played(bytes, payloadLimit: limit, capacity: capacity, limit: 2) {
                Int.random(in: 1...20, using: &generator)
            }
            #expect(whole.events == cut.events, "seed \(seed)")
            #expect(whole.ending == cut.ending, "seed \(seed)")
            #expect(whole.sent == cut.sent, "seed \(seed)")
            if let ending = whole.ending { endings.insert(ending) }
        }
        #expect(endings.count > 10, "the mutations find few mistakes: \(endings)")
    }

    private static func mutate(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[place] = [0, 1, 0x26, 0x7F, 0x80, 0xFF].randomElement(using: &generator)!
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...5, using: &generator)))
        case 3: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
        default: bytes.removeSubrange(place...)
        }
    }

    @Test("garbage ends in an error, or waits for more")
    func garbage() {
        for seed in 1...2000 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Played(bytes, capacity: 64).events.isEmpty)
            let played = Played(ScriptedBroker.acceptance + bytes, capacity: 64)
            #expect(played.capacity <= 512, "seed \(seed)")
        }
    }

    @Test("thousands of messages that came in one piece are handed over, as many at a time as may be")
    func manyAtOnce() {
        var stream = SentStream()
        for number in 0..<4000 {
            stream.add(
                .init(topic: "nodes/\(number)/t", payload: Array("\(number)".utf8), size: "\(number)".count, qos: 1))
        }
        for limit in [1, 7, 100_000] {
            let played = Played(stream.bytes, limit: limit)
            #expect(played.events == stream.events)
            #expect(played.sent == stream.acknowledgements)
            #expect(played.capacity == 1 << 18)
        }
    }

    @Test(
        "a packet that breaks MQTT's rules ends the connection with the reason for it",
        arguments: [
            ([0x30, 0x80, 0x80, 0x80, 0x80, 1], .malformedLength), ([0x30, 0x80, 0x00], .malformedLength),
            ([0x00, 0], .malformedFlags), ([0x21, 0], .malformedFlags), ([0xD1], .malformedFlags),
            ([0xF0, 0], .unexpectedPacket), ([0x20, 3, 0, 0, 0], .unexpectedPacket),
            ([0x40, 2, 0, 1], .unexpectedPacket), ([0x62, 2, 0, 1], .unexpectedPacket), ([0x10, 0], .unexpectedPacket),
            ([0xC0, 0], .unexpectedPacket), ([0xD0, 1, 0], .trailingBytes),
            ([0x32, 2, 0, 1], .cutShort), ([0x32, 3, 0, 1, 0x74], .cutShort), ([0x32, 5, 0, 1, 0x74, 0, 1], .cutShort),
            ([0x32, 6, 0, 1, 0x74, 0, 1, 1], .cutShort), ([0x32, 6, 0, 1, 0x74, 0, 0, 0], .noMessageID),
            ([0x34, 6, 0, 1, 0x74, 0, 1, 0], .qosTooHigh), ([0x36, 6, 0, 1, 0x74, 0, 1, 0], .qosMalformed),
            ([0x30, 3, 0, 0, 0], .topicEmpty), ([0x30, 4, 0, 1, 0x23, 0], .topicWildcard),
            ([0x30, 4, 0, 1, 0x2B, 0], .topicWildcard), ([0x30, 4, 0, 1, 0, 0], .topicText),
            ([0x30, 5, 0, 2, 0xC0, 0x80, 0], .topicText), ([0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 1], .topicAlias),
            ([0x30, 6, 0, 1, 0x74, 2, 0x01, 2], .propertyValue), ([0x30, 6, 0, 1, 0x74, 2, 0x0B, 0], .propertyValue),
            ([0x30, 8, 0, 1, 0x74, 4, 0x01, 1, 0x01, 1], .propertyTwice),
            ([0x30, 5, 0, 1, 0x74, 1, 0x7F], .unknownProperty),
            ([0x30, 7, 0, 1, 0x74, 3, 0x13, 0, 1], .unknownProperty), ([0x30, 6, 0, 1, 0x74, 2, 0x26, 0], .cutShort),
            ([0x30, 10, 0, 1, 0x74, 6, 0x26, 0, 1, 0xFF, 0, 0], .malformedText),
            ([0x90, 4, 0, 9, 0, 1], .unaskedAnswer), ([0x90, 4, 0, 2, 0, 1], .unaskedAnswer),
            ([0x90, 4, 0, 1, 0, 1], .answerCount), ([0xB0, 3, 0, 2, 0], .answerCount), ([0x90, 1, 0], .cutShort),
            ([0xE0, 3, 0x8B, 0, 0], .trailingBytes), ([0xE0, 2, 0x8B, 5], .cutShort),
            ([0x90, 0x81, 0x80, 0x40], .tooLarge),
        ] as [([UInt8], PacketError)])
    func violations(packet: [UInt8], error: PacketError) {
        let before = SentStream.publish(.init(topic: "t", payload: [], size: 0, qos: 1), id: 7)
        let played = Played(ScriptedBroker.acceptance + before + packet)
        #expect(played.ending == error)
        #expect(played.messages.count == 1)
    }

    @Test("before the broker has accepted, nothing else may come")
    func nothingBefore() {
        for packet in [[0xD0, 0], [0x30, 4, 0, 1, 0x74, 0], [0xE0, 0], [0x90, 4, 0, 1, 0, 1]] as [[UInt8]] {
            let played = Played(packet)
            #expect(played.ending == .unexpectedPacket)
            #expect(played.events.isEmpty)
        }
    }

    @Test(
        "an acceptance that is none is no acceptance",
        arguments: [
            ([0x20, 3, 2, 0, 0], .malformedFlags), ([0x20, 3, 0, 1, 0], .unknownResult),
            ([0x20, 2, 0, 0], .oldProtocol),
            ([0x20, 1, 0], .cutShort), ([0x20, 4, 0, 0, 0, 0], .trailingBytes),
            ([0x20, 6, 0, 0, 3, 0x21, 0, 0], .propertyValue), ([0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0], .propertyValue),
            ([0x20, 9, 0, 0, 6, 0x13, 0, 9, 0x13, 0, 9], .propertyTwice),
            ([0x20, 5, 0, 0, 2, 0x24, 2], .propertyValue),
            ([0x20, 5, 0, 0, 2, 0x01, 1], .unknownProperty),
        ] as [([UInt8], PacketError)])
    func noAcceptance(packet: [UInt8], error: PacketError) {
        let played = Played(packet)
        #expect(played.ending == error)
        #expect(played.events.isEmpty)
    }
}
