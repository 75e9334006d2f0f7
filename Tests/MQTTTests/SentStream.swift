@testable import MQTT

/// A generator that gives the same numbers for the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// What a broker sends, and what should come of it.
struct SentStream {
    private(set) var bytes = ScriptedBroker.acceptance
    private(set) var events: [Recorder.Event] = [.connected(sessionPresent: false)]
    private(set) var acknowledgements: [UInt8] = []
    private var lastID: UInt16 = 0

    init() {}

    /// Random packets, messages of all sizes around a buffer's among them.
    init(packets: Int, around capacity: Int, using generator: inout SeededGenerator) {
        let answered = Int.random(in: 0..<packets, using: &generator)
        for place in 0..<packets {
            if place == answered { answer() }
            if Int.random(in: 0..<10, using: &generator) == 0 {
                bytes += [0xD0, 0]
            } else {
                add(Self.message(capacity, using: &generator))
            }
        }
    }

    private mutating func answer() {
        bytes += [0x90, 5, 0, 1, 0, 1, 0x87, 0xB0, 4, 0, 2, 0, 0]
        events.append(.subscribed(1, [.granted(qos: 1), .refused(.notAuthorized)]))
        events.append(.unsubscribed(2))
    }

    private static func message(_ capacity: Int, using generator: inout SeededGenerator) -> Recorder.Received {
        func text(_ sizes: ClosedRange<Int>) -> String {
            String(
                (0..<Int.random(in: sizes, using: &generator)).map { _ in "abc/0ü温🌡".randomElement(using: &generator)! }
            )
        }
        let size =
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: 0
            case 1: Int.random(in: 0...3 * capacity, using: &generator)
            case 2: Int.random(in: max(capacity - 40, 0)...capacity, using: &generator)
            default: Int.random(in: 0...20, using: &generator)
            }
        return Recorder.Received(
            topic: text(1...20), payload: (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) },
            size: size,
            qos: UInt8.random(in: 0...1, using: &generator), isRetained: Bool.random(using: &generator),
            overwrite: Int.random(in: 0..<4, using: &generator) == 0 ? text(0...100) : nil)
    }

    mutating func add(_ message: Recorder.Received) {
        if message.qos > 0 {
            lastID = lastID == .max ? 1 : lastID + 1
            acknowledgements += [0x40, 2, UInt8(lastID >> 8), UInt8(truncatingIfNeeded: lastID)]
        }
        bytes += Self.publish(message, id: lastID)
        events.append(.message(message))
    }

    /// PUBLISH; other properties come before and behind `overwrite`.
    static func publish(_ message: Recorder.Received, id: UInt16, moreProperties: [UInt8] = []) -> [UInt8] {
        var properties = moreProperties
        if let overwrite = message.overwrite {
            properties += [0x01, 1, 0x26] + text("overwrite") + text("before") + [0x26] + text("overwrite")
            properties += text(overwrite) + [0x26] + text("over") + text("write") + [0x02, 0, 0, 0, 9]
        }
        let head = text(message.topic) + (message.qos == 0 ? [] : [UInt8(id >> 8), UInt8(truncatingIfNeeded: id)])
        let body = head + variable(properties.count) + properties + message.payload
        return [0x30 | message.qos << 1 | (message.isRetained ? 1 : 0)] + variable(body.count) + body
    }

    static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
    }

    static func variable(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + variable(value >> 7)
    }
}
