import Foundation
import Testing

@testable import Windrow

@Suite struct SeriesNameParsingTests {
    @Test(
        "a node's number is 1 to 2^63-1 in canonical digits",
        arguments: [
            ("1", 1), ("42", 42), ("9223372036854775807", Int64.max), ("0", nil), ("-1", nil), ("+1", nil), ("01", nil),
            ("9223372036854775808", nil), ("9999999999999999999", nil), ("18446744073709551617", nil), ("", nil),
            (" 1", nil),
            ("1 ", nil), ("1.0", nil), ("1e3", nil), ("0x1", nil), ("１", nil), ("abc", nil),
        ] as [(String, Int64?)])
    func numbers(text: String, number: Int64?) {
        #expect(NodeName(text) == number.flatMap { NodeID($0) }.map { .id($0) })
    }

    @Test(
        "a node's UUID has the 8-4-4-4-12 form, in any case, and is described in lower case",
        arguments: [
            "12345678-1234-1234-1234-123456789012", "ABCDEF01-2345-6789-abcd-EF0123456789",
            "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ])
    func uuids(text: String) throws {
        let name = try #require(NodeName(text))
        #expect(name.description == text.lowercased())
        guard case .uuid(let uuid) = name else {
            Issue.record("not a UUID: \(name)")
            return
        }
        let bytes = try #require(UUID(uuidString: text)).uuid
        let halves = withUnsafeBytes(of: bytes) {
            ($0.load(as: UInt64.self).bigEndian, $0.load(fromByteOffset: 8, as: UInt64.self).bigEndian)
        }
        #expect(uuid == NodeUUID(high: halves.0, low: halves.1))
    }

    @Test(
        "what only resembles a UUID is no node",
        arguments: [
            "12345678-1234-1234-1234-12345678901", "12345678-1234-1234-1234-1234567890123",
            "123456781234123412341234567890123456", "12345678-1234-1234-12341-23456789012",
            "g2345678-1234-1234-1234-123456789012", "{2345678-1234-1234-1234-12345678901}",
            "12345678_1234_1234_1234_123456789012", "12345678-1234-1234-1234-12345678901é",
            "@2345678-1234-1234-1234-123456789012", "`2345678-1234-1234-1234-123456789012",
        ])
    func noUUIDs(text: String) {
        #expect(NodeName(text) == nil)
    }

    @Test("random UUIDs read and write as Foundation's")
    func randomUUIDs() {
        var numbers = SeededGenerator(seed: 5)
        for _ in 0..<1000 {
            let uuid = NodeUUID(high: numbers.next(), low: numbers.next())
            #expect(UUID(uuidString: uuid.description) != nil)
            #expect(NodeName(uuid.description.uppercased()) == .uuid(uuid))
        }
    }

    @Test(
        "a tag is 1 to 255 bytes of UTF-8 without control characters, slash, plus and hash",
        arguments: [
            ("outdoortemp", true), ("t", true), (" ", true), ("Vorlauf °C", true), ("温度", true), ("a.b:c-d_e$", true),
            (String(repeating: "x", count: 255), true), (String(repeating: "é", count: 127), true),
            ("", false), (String(repeating: "x", count: 256), false), (String(repeating: "é", count: 128), false),
            ("a/b", false), ("a+b", false), ("#", false), ("a\u{0}", false), ("a\nb", false), ("\u{1F}", false),
            ("\u{7F}", false), ("\u{80}", false), ("x\u{9F}", false), ("\u{A0}", true),
        ])
    func tags(text: String, isValid: Bool) {
        #expect(Tag(text)?.name == (isValid ? text : nil))
    }

    @Test(
        "bytes that are not UTF-8 are no tag",
        arguments: [[0xFF], [0x61, 0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80]] as [[UInt8]])
    func notText(bytes: [UInt8]) {
        #expect(bytes.withUnsafeBytes { Tag(utf8: $0) } == nil)
    }

    @Test("tags that only look the same are different tags, as they are in PostgreSQL")
    func canonicalEquivalence() throws {
        let composed = try #require(Tag("caf\u{E9}"))
        let decomposed = try #require(Tag("cafe\u{301}"))
        #expect(composed.name == decomposed.name)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        // These two are of one length as well.
        #expect(try #require(Tag("a\u{323}\u{307}")) != #require(Tag("a\u{307}\u{323}")))
        #expect(composed == Tag("caf\u{E9}") && composed.hashValue == Tag("caf\u{E9}")?.hashValue)
    }

    @Test("a series is described as in a topic")
    func seriesDescription() throws {
        let series = SeriesName(node: try #require(NodeName("12")), tag: try #require(Tag("outdoortemp")))
        #expect("\(series)" == "12/outdoortemp")
    }
}
