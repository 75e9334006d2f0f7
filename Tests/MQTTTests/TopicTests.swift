import Testing

@testable import MQTT

@Suite struct TopicTests {
    @Test(
        "a filter has its wildcards in levels of their own, and a shared one has a name",
        arguments: [
            "a", "/", "//", "+", "#", "+/+", "a/+/b", "a/#", "/#", "+/#", "$SYS/#", "$share/g/a", "$share/g/#",
            "$share/g//", "a b/ü", "$shared/#", "$share", String(repeating: "x", count: 65_535),
        ])
    func filters(text: String) {
        // The lone word has no level behind it, and is no shared subscription but an odd topic: brokers refuse it.
        #expect(Topic.isFilter(text) == (text != "$share"))
    }

    @Test(
        "what is none is refused",
        arguments: [
            "", "a+", "+a", "a/b#", "#/a", "a/#/b", "##", "a\0", "$share/g", "$share//a", "$share/g/", "$share/+/a",
            "$share/g#/a", "$share/g/a#", String(repeating: "x", count: 65_536), String(repeating: "ü", count: 32_768),
        ])
    func noFilters(text: String) {
        #expect(!Topic.isFilter(text))
    }

    @Test("text is UTF-8 without NUL, and nothing else is")
    func text() {
        for seed in 1...20_000 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let some: [UInt8] = [
                0x00, 0x2B, 0x23, 0x41, 0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                0xE1,
                0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
            ]
            var bytes: [UInt8] = []
            // Among letters, for the ways that look at eight bytes together.
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                bytes += [UInt8](repeating: 0x61, count: Int.random(in: 0...10, using: &generator))
                if Bool.random(using: &generator) {
                    bytes += Array(
                        String(["ü", "温", "🌡", "\u{D7FF}", "\u{10FFFF}"].randomElement(using: &generator)!).utf8)
                } else {
                    for _ in 0..<Int.random(in: 0...2, using: &generator) {
                        bytes.append(some.randomElement(using: &generator)!)
                    }
                }
            }
            let isText = String(validating: bytes, as: UTF8.self) != nil && !bytes.contains(0)
            #expect(bytes.withUnsafeBytes(UTF8Text.isValid) == isText, "seed \(seed)")
            let hasWildcard = bytes.contains(0x2B) || bytes.contains(0x23)
            let expected: PacketError? =
                bytes.isEmpty ? .topicEmpty : !isText ? .topicText : hasWildcard ? .topicWildcard : nil
            #expect(failure(bytes) == expected, "seed \(seed)")
        }
    }

    @Test("a wildcard or NUL is found at any place of a topic of any length")
    func places() {
        for length in 1...40 {
            for place in 0..<length {
                for (byte, error) in [(0x2B, PacketError.topicWildcard), (0x23, .topicWildcard), (0, .topicText)] {
                    var bytes = [UInt8](repeating: 0x61, count: length)
                    #expect(failure(bytes) == nil)
                    bytes[place] = UInt8(byte)
                    #expect(failure(bytes) == error)
                }
            }
        }
    }

    private func failure(_ name: [UInt8]) -> PacketError? {
        name.withUnsafeBytes { name in
            do throws(PacketError) {
                try Topic.check(name: name)
                return nil
            } catch {
                return error
            }
        }
    }
}
