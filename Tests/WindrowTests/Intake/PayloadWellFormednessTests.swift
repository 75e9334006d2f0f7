import CSimdJSON
import Foundation
import Testing

@testable import FuzzTargets
@testable import Windrow

/// That every byte of a payload is JSON, also where nobody looks.
@Suite struct PayloadWellFormednessTests {
    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    @Test(
        "what is not JSON is refused wherever it stands",
        arguments: [
            "tru", "truex", "nul", "falsee", "True", "'x'", "01", "-01", "1.", ".5", "+1", "-", "1e", "1e+", "0x10",
            "1_000", "--1",
            "1.5.2", "1e5e5", "[1 2]", "[1,]", "[,1]", "[", "]", "[1", "[1}", "{\"a\": 1]", "{\"a\" 1}", "{\"a\"}",
            "{\"a\":}",
            "{\"a\": 1,}", "{,}", "{1: 2}", "{a: 1}", "{\"a\": 1 \"b\": 2}", "{\"a\":: 1}", "\"", "\"\\\"", "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12G4\"", "\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"",
            "\"\\",
            "\"a\tb\"", "\"a\nb\"", "\"a\u{0}b\"", "\"\u{1F}\"", "\"a\"b", "\"a\"\"b\"", "12\"a\"", "true\"a\"",
            "1\u{C}", "\u{C}1",
            "1\u{1A}", "\u{0}", "1\u{0}", "// 1", "1 // x", "/* */ 1", "\u{FEFF}1", "\u{A0}1", "nan", "inf",
            "undefined",
        ])
    func malformed(value: String) throws {
        let arrival = Arrival()
        for payload in [
            value, "{\"v\": \(value)}", "{\"v\": 1, \"x\": \(value)}", "{\"x\": \(value), \"v\": 1}",
            "[{\"v\": 1, \"x\": [\(value)]}]",
            "{\"data\": [{\"v\": 1}], \"x\": {\"y\": \(value)}}", "[\(value)]", "{\"v\": 1, \"ts\": \(value)}",
        ] {
            #expect(try arrival.decode(payload).reason == .malformedJSON, "\(payload)")
        }
    }

    @Test(
        "what follows the payload is refused",
        arguments: [
            "1 1", "1,", "{\"v\": 1} {\"v\": 2}", "{\"v\": 1}]", "[{\"v\": 1}],", "{\"v\": 1}x", "1 \"", "[] []",
        ])
    func trailing(payload: String) throws {
        #expect(try Arrival().decode(payload).reason == .malformedJSON)
    }

    @Test(
        "the place of what is malformed is told",
        arguments: [
            (
                "{\"v\": 1, \"x\": [1 2]}",
                "not JSON at byte 17: expected a comma or the array's closing bracket, found \"2]}\""
            ),
            ("{\"v\": 1 ", "not JSON: expected a comma or the object's closing brace, found the end of the payload"),
            ("{\"v\": 12x}", "not JSON at byte 8: a number is not written as in JSON, found \"x}\""),
            (
                "{\"v\": 1, \"x\": \"\\q\"}",
                "not JSON at byte 15: a string has an escape that JSON does not know, found \"\\\\q\\\"}\""
            ),
            ("{\"v\": \"1}", "not JSON: a string has no closing quote"),
            ("{\"v\": \"\t\"}", "not JSON: a string has a control character that is not written as an escape"),
            ("{\"v\" 1}", "not JSON at byte 5: expected a colon behind the field's name, found \"1}\""),
            ("{v: 1}", "not JSON at byte 1: expected a field's name in quotes, found \"v: 1}\""),
            ("1 }", "not JSON at byte 2: expected the end of the payload, found \"}\""),
            ("[nil]", "not JSON at byte 1: expected true, false or null, found \"nil]\""),
            ("[,]", "not JSON at byte 1: expected a value, found \",]\""),
        ])
    func places(payload: String, detail: String) throws {
        #expect(try Arrival().decode(payload).detail == detail)
    }

    @Test(
        "an empty payload and one of nothing but whitespace are empty",
        arguments: ["", " ", "\n\t\r  \n", String(repeating: " ", count: 1000)])
    func empty(payload: String) throws {
        #expect(try Arrival().decode(payload).reason == .emptyPayload)
    }

    @Test(
        "bytes that are not UTF-8 are refused as such wherever they stand",
        arguments: [[0xFF], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80]] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) throws {
        for (before, after) in [
            ("", ""), ("12", ""), ("{\"v\": 1, \"x\": \"", "\"}"), ("{\"v\": 1, \"", "\": 2}"), ("{\"v\": \"", ""),
            ("{\"v\": 1} ", ""),
        ] {
            #expect(try Arrival().decode(Array(before.utf8) + bytes + Array(after.utf8)).reason == .invalidUTF8)
        }
    }

    @Test("sixteen containers may stand inside one another, seventeen not")
    func depth() throws {
        let arrival = Arrival()
        #expect(try arrival.decode("{\"v\": 1, \"x\": \(Self.nested(15))}").points?.count == 1)
        #expect(try arrival.decode("{\"v\": 1, \"x\": \(Self.nested(16))}").reason == .tooDeep)
        #expect(try arrival.decode("{\"data\": [{\"v\": 1, \"x\": \(Self.nested(13))}]}").points?.count == 1)
        #expect(try arrival.decode("{\"data\": [{\"v\": 1, \"x\": \(Self.nested(14))}]}").reason == .tooDeep)
        #expect(try arrival.decode(Self.nested(16)).reason == .wrongShape)
        #expect(try arrival.decode(Self.nested(17)).reason == .tooDeep)
        #expect(try arrival.decode(String(repeating: "{\"v\":", count: 17)).reason == .tooDeep)
        #expect(try arrival.decode(String(repeating: "[", count: 1 << 20)).reason == .tooDeep)
    }

    @Test("numbers of every length are the doubles that Swift reads")
    func numbers() throws {
        let seed: UInt64 = 77
        var numbers = SeededGenerator(seed: seed)
        let decoder = try Arrival().decoder
        for round in 0..<5000 {
            var text = Bool.random(using: &numbers) ? "-" : ""
            let digits = Int.random(in: 1...(round % 10 == 0 ? 400 : 20), using: &numbers)
            var whole = (0..<digits).map { _ in String(Int.random(in: 0...9, using: &numbers)) }.joined()
            if whole.hasPrefix("0") { whole = "0" }
            text += whole
            if Bool.random(using: &numbers) {
                text +=
                    "."
                    + (0..<Int.random(in: 1...20, using: &numbers)).map { _ in
                        "\(Int.random(in: 0...9, using: &numbers))"
                    }.joined()
            }
            if Bool.random(using: &numbers) {
                text += ["e", "E", "e+", "E-", "e-"].randomElement(using: &numbers)!
                text += "\(Int.random(in: 0...(round % 3 == 0 ? 400 : 30), using: &numbers))"
            }
            let expected = try #require(Double(text))
            let decoded = try Arrival().decode(Array(text.utf8), by: decoder)
            if expected.isFinite {
                #expect(decoded.points?.first?.value == expected, "seed \(seed): \(text)")
            } else {
                #expect(decoded.reason == .badValue, "seed \(seed): \(text)")
            }
        }
        for _ in 0..<5000 {
            let value = Double(bitPattern: numbers.next())
            guard value.isFinite else { continue }
            #expect(
                try Arrival().decode(Array("\(value)".utf8), by: decoder).points?.first?.value == value, "seed \(seed)")
        }
        #expect(try Arrival().decode("1" + String(repeating: "0", count: 400) + "e-390").points?.first?.value == 1e10)
        #expect(try Arrival().decode("1" + String(repeating: "0", count: 400) + "e-5").reason == .badValue)
        #expect(try Arrival().decode("0." + String(repeating: "0", count: 400) + "1e5").points?.first?.value == 0)
        #expect(try Arrival().decode("0." + String(repeating: "0", count: 2000) + "1e5000").reason == .badValue)
        #expect(try Arrival().decode("0." + String(repeating: "0", count: 400) + "1e401").points?.first?.value == 1)
    }

    @Test(
        "truncated and mutated payloads are accepted exactly when Foundation finds JSON in them, and never leave a trace otherwise"
    )
    func mutations() throws {
        let seeds = [
            #"{"v": 12.3, "ts": "2023-01-01T12:00:00Z"}"#,
            #"[{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": -2.5e3, "x": [true, false, null, {"y": "\u00e9\n"}]}, {"v": 3}]"#,
            #"{"data": [{"v": 1, "ts": "2023-01-01T12:00:00+01:00"}], "overwrite": "replace_window", "q": {"a": [1, [2, [3]]], "b": ""}}"#,
            #"{"data":[],"overwrite":"replace_window","window":{"start":"2023-01-01T00:00:00Z","end":"2023-01-02T00:00:00Z"}}"#,
            " -0.125e+2 ", #"{"é": "😀 \ud83d\ude00", "v": 0}"#,
        ].map { Array($0.utf8) }
        let alphabet =
            Array("{}[]:,\"\\ \t\n0123456789.-+eEtrufalsnv\u{C}/x".utf8) + [
                0x01, 0x1F, 0x7F, 0x80, 0xC3, 0xA9, 0xED, 0xF0, 0xFF,
            ]
        let seed: UInt64 = 31_337
        var numbers = SeededGenerator(seed: seed)
        let tokens = JSONTokens()
        let decoder = try Arrival().decoder
        var accepted = 0

        func check(_ payload: [UInt8]) throws {
            let text = String(decoding: payload, as: UTF8.self)
            let isJSON = NaiveJSON.isWellFormed(payload)
            // A second opinion, but that Foundation lets a comma end an array or object.
            let foundation = try? JSONSerialization.jsonObject(with: Data(payload), options: .fragmentsAllowed)
            let isLenient = text.contains(/,[ \n\t]*[\]}]/)
            #expect((foundation != nil) == isJSON || isLenient, "seed \(seed): Foundation on \(text)")

            for items in [SJItems.points, .elements] {
                let isRead = (try? payload.withUnsafeBytes { try tokens.read($0, items: items) }) != nil
                #expect(isRead == isJSON, "seed \(seed): \(text)")
            }
            let decoded = try Arrival().decode(payload, by: decoder)
            switch decoded {
            case .accepted(_, let points):
                accepted += 1
                #expect(isJSON, "seed \(seed): \(text)")
                #expect(points == Self.points(in: foundation), "seed \(seed): \(text)")
            case .skippedRetained: Issue.record("not retained")
            case .rejected(let rejection):
                let isUnreadable = [.malformedJSON, .invalidUTF8, .emptyPayload].contains(rejection.reason)
                #expect(
                    isUnreadable == !isJSON || rejection.detail.contains("NaN"), "seed \(seed): \(text): \(rejection)")
            }
        }

        for seed in seeds {
            for length in 0...seed.count { try check(Array(seed[..<length])) }
            for place in seed.indices { try check(Array(seed[place...])) }
        }
        for _ in 0..<20_000 {
            var payload = seeds.randomElement(using: &numbers)!
            for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                let place = Int.random(in: 0..<payload.count, using: &numbers)
                let byte = alphabet.randomElement(using: &numbers)!
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: payload[place] = byte
                case 1: payload.insert(byte, at: place)
                case 2 where payload.count > 1: payload.remove(at: place)
                default: payload.swapAt(place, Int.random(in: 0..<payload.count, using: &numbers))
                }
            }
            try check(payload)
        }
        // Otherwise the mutations prove nothing about what is accepted.
        #expect(accepted > 500)
    }

    /// The points of an accepted payload, by a parser that is not ours.
    private static func points(in json: Any?) -> [Point]? {
        var points: [Timestamp: Double] = [:]
        func add(_ item: Any) -> Bool {
            guard let item = item as? [String: Any], let value = item["v"] as? Double else { return false }
            let timestamp = (item["ts"] as? String).map { Timestamp(rfc3339: $0) } ?? Arrival.now
            guard let timestamp else { return false }
            points[timestamp] = value
            return true
        }
        switch json {
        case let number as Double: points[Arrival.now] = number
        case let items as [Any]: guard items.allSatisfy(add) else { return nil }
        case let item as [String: Any]:
            guard (item["data"] as? [Any])?.allSatisfy(add) ?? add(item) else { return nil }
        default: return nil
        }
        return points.sorted { $0.key < $1.key }.map { Point(timestamp: $0.key, value: $0.value) }
    }

    @Test("random bytes are refused without a trap, whatever their length")
    func noise() throws {
        var numbers = SeededGenerator(seed: 8)
        let decoder = try Arrival().decoder
        for length in 0..<600 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &numbers) }
            _ = try Arrival().decode(bytes, by: decoder)
            let braces = (0..<length).map { _ in Array("{}[]:,\"\\v1 ".utf8).randomElement(using: &numbers)! }
            _ = try Arrival().decode(braces, by: decoder)
        }
    }

    @Test("a small payload after a huge one is read as before, and so is a huge one after a small one")
    func buffersAreReused() throws {
        let decoder = try Arrival().decoder
        let huge =
            "[" + (0..<100_000).map { "{\"v\": \($0), \"ts\": \"2023-01-01T12:00:00Z\"}" }.joined(separator: ",") + "]"
        for _ in 0..<2 {
            #expect(
                try Arrival().decode(Array(huge.utf8), by: decoder).points == [point("2023-01-01T12:00:00Z", 99_999)])
            #expect(try Arrival().decode(Array("1".utf8), by: decoder).points?.count == 1)
        }
    }
}
