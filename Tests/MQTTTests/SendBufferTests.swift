import Testing

@testable import MQTT

@Suite struct SendBufferTests {
    @Test("packets leave in their order, whatever part of them is taken at a time, and those not acknowledged count")
    func order() {
        for seed in 1...200 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var buffer = SendBuffer()
            var expected: [UInt8] = []
            var sent: [UInt8] = []
            // Where each acknowledgement ends.
            var ends: [Int] = []
            for number in 0..<2000 {
                if Int.random(in: 0..<50, using: &generator) == 0 {
                    let packet = Requests.subscribe(
                        1, [String(repeating: "x", count: Int.random(in: 1...300, using: &generator))], retained: .never
                    )
                    buffer.append(packet)
                    expected += packet
                } else {
                    buffer.acknowledge(UInt16(number))
                    expected += [0x40, 2, UInt8(number >> 8), UInt8(truncatingIfNeeded: number)]
                    ends.append(expected.count)
                }
                guard Int.random(in: 0..<9, using: &generator) == 0 else { continue }
                let count = Int.random(in: 0...buffer.unsent.count, using: &generator)
                sent += buffer.unsent.prefix(count)
                buffer.sent(count)
                #expect(buffer.acknowledgements == ends.count { $0 > sent.count })
                let isEmpty = buffer.isEmpty
                #expect(isEmpty == (sent.count == expected.count))
            }
            sent += buffer.unsent
            #expect(sent == expected, "seed \(seed)")
        }
    }

    @Test("a packet that was sent in part is known to be")
    func withinPacket() {
        var buffer = SendBuffer()
        buffer.acknowledge(1)
        buffer.append(Requests.ping)
        var states = [buffer.isWithinPacket]
        for count in [3, 1, 1, 1] {
            buffer.sent(count)
            states.append(buffer.isWithinPacket)
        }
        #expect(states == [false, true, false, true, false])
    }
}
