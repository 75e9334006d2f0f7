import Testing

@testable import Windrow

/// The four forms of a payload, and what of them is refused.
@Suite struct MessageDecoderFormTests {
    static let noon = "2023-01-01T12:00:00Z"
    static let later = "2023-01-01T12:10:00Z"

    @Test(
        "a bare number is stamped with the time of receipt",
        arguments: [
            ("12.3", 12.3), (" \r\n\t-7 \n", -7), ("0", 0), ("-0.0", -0.0), ("1e3", 1000), ("1E-2", 0.01),
            ("2.5e+1", 25),
            ("123456789012345678901234567890", 1.2345678901234568e29), ("9007199254740993", 9_007_199_254_740_992),
            ("1e-400", 0), ("1.7976931348623157e308", .greatestFiniteMagnitude), ("4.9e-324", .leastNonzeroMagnitude),
            ("0.1", 0.1), ("3.141592653589793238462643383279", .pi), ("10000000000000000000000e-22", 1),
        ])
    func bareNumber(text: String, value: Double) throws {
        let decoded = try Arrival().decode(text)
        #expect(decoded == .accepted(.insert, [Point(timestamp: Arrival.now, value: value)]))
        #expect(decoded.points?.first?.value.sign == value.sign)
    }

    @Test(
        "one point, with fields in any order and others beside them",
        arguments: [
            #"{"v": 12.3, "ts": "2023-01-01T12:00:00Z"}"#,
            #"{"ts":"2023-01-01T12:00:00Z","v":12.3}"#,
            #" { "ts" : "2023-01-01T13:00:00+01:00" , "v" : 1.23e1 } "#,
            #"{"v": 12.3, "unit": "°C", "x": [1, {"v": null}, "\ud83d\ude00"], "ts": "2023-01-01T12:00:00Z", "q": -1e999}"#,
            #"{"v": "x", "ts": 5, "v": 12.3, "ts": "2023-01-01T12:00:00Z"}"#,
            #"{"\u0076": 12.3, "\u0074\u0073": "2023-01-01T12:00:00\u005A"}"#,
            #"{"ts": "2023-01-01T13:00:00\u002b01:00", "v": 12.3, "vv": 1, "v ": 2, "": 3, "V": 4, "t": 0, "tss": 1}"#,
            #"{"node_id": 9, "tag": ["ignored"], "v": 12.3, "ts": "2023-01-01T12:00:00Z", "start": 1, "end": {}}"#,
        ])
    func onePoint(payload: String) throws {
        #expect(try Arrival().decode(payload) == .accepted(.insert, [point(Self.noon, 12.3)]))
    }

    @Test("one point without a timestamp gets the time of receipt")
    func onePointWithoutTimestamp() throws {
        #expect(try Arrival().decode(#"{"v": 5}"#) == .accepted(.insert, [Point(timestamp: Arrival.now, value: 5)]))
    }

    @Test(
        "an array of points, and an envelope with the same points, mean the same",
        arguments: [
            #"[{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"ts": "2023-01-01T12:10:00Z", "v": 2, "x": [[]]}]"#,
            #"{"data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:10:00Z"}]}"#,
            #"{"sent": {}, "data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:10:00Z"}], "x": null}"#,
            // The last of two counts, whatever the first was.
            #"{"data": [{}, 1], "data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:10:00Z"}]}"#,
            #"{"data": "x", "data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:10:00Z"}]}"#,
            // In any order, and the last at a timestamp counts.
            #"[{"v": 2, "ts": "2023-01-01T12:10:00Z"}, {"v": 7, "ts": "2023-01-01T12:00:00Z"}, {"v": 1, "ts": "2023-01-01T12:00:00Z"}]"#,
            #"{"ts": 17, "data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:10:00Z"}]}"#,
        ])
    func manyPoints(payload: String) throws {
        #expect(try Arrival().decode(payload) == .accepted(.insert, [point(Self.noon, 1), point(Self.later, 2)]))
    }

    @Test(
        "numeric timestamps count in the subscription's unit",
        arguments: [
            (.seconds, "1672574400"), (.milliseconds, "1672574400000"), (.microseconds, "1672574400000000"),
            (.nanoseconds, "1672574400000000000"), (.nanoseconds, "1.6725744e18"),
        ] as [(EpochUnit, String)])
    func epochs(unit: EpochUnit, number: String) throws {
        let arrival = Arrival(epoch: unit)
        #expect(try arrival.decode("{\"v\": 1, \"ts\": \(number)}") == .accepted(.insert, [point(Self.noon, 1)]))
        // Dates are still read.
        #expect(try arrival.decode("{\"v\": 1, \"ts\": \"\(Self.noon)\"}") == .accepted(.insert, [point(Self.noon, 1)]))
    }

    @Test("an epoch number is the explicit window's bound too")
    func epochWindow() throws {
        let payload =
            #"{"data": [], "overwrite": "replace_window", "window": {"start": 1672574400, "end": 1672575000}}"#
        #expect(
            try Arrival(epoch: .seconds).decode(payload) == .accepted(.replace(range(Self.noon, Self.later)), []))
        let rejected = try Arrival().decode(payload)
        #expect(rejected.reason == .badTimestamp && rejected.pointer == "/window/start")
    }

    @Test("the number of points that were accepted counts those that a later one superseded")
    func superseded() throws {
        var batch = RecordBatch()
        let outcome = try Arrival().decode(
            Array(#"[{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:00:00Z"}]"#.utf8),
            by: Arrival().decoder, into: &batch)
        #expect(outcome == .accepted(points: 2))
        #expect(batch.points == [point(Self.noon, 2)] && batch.supersededCount == 1)
    }

    @Test("the series is the topic's")
    func series() throws {
        var batch = RecordBatch()
        let decoder = try Arrival().decoder
        for topic in ["nodes/7/a", "nodes/ABCDEF01-2345-6789-abcd-EF0123456789/b", "nodes/7/a"] {
            _ = try Arrival(topic: topic).decode(Array("1".utf8), by: decoder, into: &batch)
        }
        #expect(batch.series.map(\.description) == ["7/a", "abcdef01-2345-6789-abcd-ef0123456789/b"])
        #expect(batch.edits.map(\.series) == [0, 1, 0])
        #expect(batch.edits.map(\.startsRecord) == [true, true, true] && batch.recordCount == 3)
    }

    struct Refusal: CustomTestStringConvertible {
        var payload: String
        var reason: Rejection.Reason
        var pointer: String?
        var detail: String

        init(_ payload: String, _ reason: Rejection.Reason, _ pointer: String?, _ detail: String) {
            self.payload = payload
            self.reason = reason
            self.pointer = pointer
            self.detail = detail
        }

        var testDescription: String { payload }
    }

    @Test(
        "what is refused is refused with its reason, its place and a sentence",
        arguments: [
            // The value.
            Refusal(
                #"{"v": "abc", "ts": "2023-01-01T12:00:00Z"}"#, .badValue, "/v",
                #"v is a string ("abc"), expected a number"#),
            Refusal(#"{"v": null}"#, .badValue, "/v", "v is null, expected a number"),
            Refusal(#"{"v": true}"#, .badValue, "/v", "v is true, expected a number"),
            Refusal(#"{"v": [1]}"#, .badValue, "/v", "v is an array, expected a number"),
            Refusal(#"{"v": {}}"#, .badValue, "/v", "v is an object, expected a number"),
            Refusal(#"{"v": -1e400}"#, .badValue, "/v", "v is the number -1e400, too large for a double"),
            Refusal(#"{"v": 17, "v": "x"}"#, .badValue, "/v", #"v is a string ("x"), expected a number"#),
            Refusal("1e400", .badValue, "", "v is the number 1e400, too large for a double"),
            Refusal(#"{"v": NaN}"#, .badValue, nil, "at byte 6: JSON has no NaN and no Infinity"),
            Refusal(#"[{"v": -Infinity}]"#, .badValue, nil, "JSON has no NaN and no Infinity"),
            Refusal("NaN", .badValue, nil, "JSON has no NaN"),
            Refusal(
                #"[{"v": 1}, {"v": 1, "ts": "x", "v": "7"}]"#, .badValue, "/1/v",
                #"v is a string ("7"), expected a number"#),
            Refusal(
                #"{"data": [{"v": 1}, {"v": 2}, {"v": false}]}"#, .badValue, "/data/2/v",
                "v is false, expected a number"),
            Refusal(#"{"ts": "2023-01-01T12:00:00Z"}"#, .badValue, "", "v is missing"),
            Refusal(#"[{"v": 1}, {}]"#, .badValue, "/1", "v is missing"),
            // The timestamp.
            Refusal(
                #"{"v": 1, "ts": "2023-13-01T00:00:00Z"}"#, .badTimestamp, "/ts",
                #"ts "2023-13-01T00:00:00Z" is not an RFC 3339 timestamp such as 2023-01-01T12:00:00Z"#),
            Refusal(#"[{"v": 1}, {"v": 1, "ts": ""}]"#, .badTimestamp, "/1/ts", #"ts "" is not an RFC 3339 timestamp"#),
            Refusal(
                #"{"data": [{"v": 1, "ts": null}]}"#, .badTimestamp, "/data/0/ts",
                "ts is null, expected an RFC 3339 timestamp"),
            Refusal(#"{"v": 1, "ts": 1672574400}"#, .badTimestamp, "/ts", "no unit is configured for numeric"),
            Refusal(#"{"v": 1, "ts": {}}"#, .badTimestamp, "/ts", "ts is an object"),
            // The shape.
            Refusal(#""12.3""#, .wrongShape, "", #"the payload is a string ("12.3")"#),
            Refusal("true", .wrongShape, "", "the payload is true"),
            Refusal("null", .wrongShape, "", "the payload is null"),
            Refusal("{}", .wrongShape, "", "neither v nor data"),
            Refusal(#"{"x": 1}"#, .wrongShape, "", "neither v nor data"),
            Refusal("[]", .wrongShape, "", "there are no points"),
            Refusal(#"{"data": []}"#, .wrongShape, "/data", "there are no points"),
            Refusal(#"{"data": {}}"#, .wrongShape, "/data", "data is an object, expected an array of points"),
            Refusal(#"{"data": [{"v": 1}], "data": null}"#, .wrongShape, "/data", "data is null"),
            Refusal(#"{"data": [{"v": 1}], "v": 1}"#, .wrongShape, "", "both v and data"),
            Refusal("[1, 2]", .wrongShape, "/0", "the point is a number, expected an object with v and ts"),
            Refusal(#"[{"v": 1}, [2]]"#, .wrongShape, "/1", "the point is an array"),
            Refusal(#"{"data": [{"v": 1}, "x"]}"#, .wrongShape, "/data/1", #"the point is a string ("x")"#),
            // The mode and the window.
            Refusal(
                #"{"v": 1, "overwrite": "replace"}"#, .badOverwrite, "/overwrite", #"overwrite is a string ("replace")"#
            ),
            Refusal(
                #"{"data": [], "overwrite": null}"#, .badOverwrite, "/overwrite",
                "insert, update_window, replace_window"),
            Refusal(#"{"data": [{"v": 1}], "window": {}}"#, .badWindow, "/window", "the window has no start"),
            Refusal(#"{"data": [{"v": 1}], "window": []}"#, .badWindow, "/window", "window is an array"),
            Refusal(
                #"{"data": [{"v": 1}], "window": {"start": "2023-01-01T12:00:00Z"}}"#, .badWindow, "/window",
                "has no end"),
            Refusal(
                #"{"data": [], "window": {"start": "2023-01-01T12:00:00Z", "end": "2023-01-01T11:59:59Z"}}"#,
                .badWindow,
                "/window", "starts at 2023-01-01T12:00:00Z, after its end at 2023-01-01T11:59:59Z"),
            Refusal(
                #"{"data": [], "window": {"start": "2023-01-01T12:00:00Z", "end": "noon"}}"#, .badTimestamp,
                "/window/end",
                #"end "noon" is not"#),
            Refusal(
                #"{"data": [{"v": 1}], "window": {"start": "2023-01-01T12:00:00Z", "end": "2023-01-01T13:00:00Z"}}"#,
                .badWindow,
                "/window", "here overwrite is insert"),
            Refusal(
                #"{"overwrite": "replace_window", "window": {"start": "2023-01-01T12:00:00Z", "end": "2023-01-01T13:00:00Z"}}"#,
                .wrongShape, "", "neither v nor data"),
        ])
    func refuses(_ refusal: Refusal) throws {
        let decoded = try Arrival().decode(refusal.payload)
        #expect(decoded.reason == refusal.reason)
        #expect(decoded.pointer == refusal.pointer)
        #expect(decoded.detail.contains(refusal.detail), "\(decoded.detail)")
    }

    @Test("an epoch number outside the years 0 to 9999 is out of bounds in its unit")
    func epochOutOfRange() throws {
        let decoded = try Arrival(epoch: .seconds).decode(#"{"v": 1, "ts": 1672574400000}"#)
        #expect(decoded.reason == .timestampOutOfBounds && decoded.pointer == "/ts")
        #expect(decoded.detail == "ts 1672574400000, counted in s, lies outside the years 0 to 9999")
    }

    @Test("what is quoted is cut at 64 bytes between characters, and prints")
    func quotation() throws {
        let decoded = try Arrival().decode("{\"v\": \"a\\u0000\\n\\u202e\(String(repeating: "é", count: 100))\"}")
        #expect(
            decoded.detail == #"v is a string ("a\u{0}\u{a}\u{202e}"# + String(repeating: "é", count: 29)
                + #"…"), expected a number"#)
        #expect(String(quoting: "say \"\\\"") == #""say \"\\\"""#)
        #expect(([0xFF, 0x61] as [UInt8]).withUnsafeBytes { String(quoting: $0) } == "\"\u{FFFD}a\"")
        for (start, kept) in [("", 21), ("x", 21), ("xx", 20), ("xxx", 20)] {
            let text = start + String(repeating: "€", count: 30)
            #expect(String(quoting: text) == "\"\(start)\(String(repeating: "€", count: kept))…\"")
        }
        let exactly = String(repeating: "x", count: 64)
        #expect(String(quoting: exactly) == "\"\(exactly)\"" && String(quoting: exactly + "x") == "\"\(exactly)…\"")
        #expect([UInt8](repeating: 0x80, count: 70).withUnsafeBytes { String(quoting: $0) }.hasSuffix("…\""))
    }

    @Test(
        "a topic that names no series is refused",
        arguments: [
            ("other/7/t", .wrongTopic, "\"other/7/t\""), ("nodes/0/t", .badNode, "\"0\""),
            ("nodes//t", .badNode, "\"\""),
            ("nodes/abc/t", .badNode, "nor a UUID"), ("nodes/7/", .badTag, "\"\""),
            ("nodes/7/\u{1}", .badTag, "\\u{1}"),
            ("nodes/7/" + String(repeating: "x", count: 256), .badTag, "1 to 255 bytes"),
        ] as [(String, Rejection.Reason, String)])
    func topics(topic: String, reason: Rejection.Reason, detail: String) throws {
        let decoded = try Arrival(topic: topic).decode("1")
        #expect(decoded.reason == reason && decoded.pointer == nil)
        #expect(decoded.detail.contains(detail), "\(decoded.detail)")
    }
}
