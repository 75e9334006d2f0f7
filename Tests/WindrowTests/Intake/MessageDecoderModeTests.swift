import Testing

@testable import Windrow

/// Who states the mode, what window it makes, and the bounds.
@Suite struct MessageDecoderModeTests {
    private static let noon = "2023-01-01T12:00:00Z"
    private static let later = "2023-01-01T12:10:00Z"
    private static let data =
        #""data": [{"v": 2, "ts": "2023-01-01T12:10:00Z"}, {"v": 1, "ts": "2023-01-01T12:00:00Z"}]"#
    private static let message = EditAction.replace(range(noon, later))

    private static func window(_ start: String, _ end: String) -> String {
        "\"window\": {\"end\": \"\(end)\", \"note\": [], \"start\": \"\(start)\"}"
    }

    @Test(
        "the envelope states the mode, else the user property, else the subscription; a message that states it is the window",
        arguments: [
            (nil, nil, .insert, .insert), (nil, nil, .updateWindow, .update),
            (nil, nil, .replaceWindow, .stream(Arrival.rule)),
            (nil, "insert", .replaceWindow, .insert), (nil, "update_window", .insert, .update),
            (nil, "replace_window", .insert, message), (nil, "replace_window", .replaceWindow, message),
            ("insert", "replace_window", .replaceWindow, .insert), ("update_window", "insert", .insert, .update),
            ("replace_window", "insert", .insert, message), ("replace_window", nil, .replaceWindow, message),
            // What the envelope overrules is not looked at.
            ("insert", "nonsense", .insert, .insert),
        ] as [(String?, String?, Overwrite, EditAction)])
    func modes(envelope: String?, property: String?, configured: Overwrite, action: EditAction) throws {
        let arrival = Arrival(overwrite: configured, property: property)
        let overwrite = envelope.map { "\"overwrite\": \"\($0)\"" }
        for fields in [[Self.data, overwrite], [overwrite, Self.data]] {
            let decoded = try arrival.decode("{" + fields.compactMap { $0 }.joined(separator: ", ") + "}")
            #expect(decoded == .accepted(action, [point(Self.noon, 1), point(Self.later, 2)]))
        }
    }

    @Test("a user property that is no mode is refused", arguments: ["", "INSERT", "replace"])
    func badProperty(property: String) throws {
        let decoded = try Arrival(property: property).decode("1")
        #expect(decoded.reason == .badOverwrite && decoded.pointer == nil)
        #expect(decoded.detail.contains("the user property overwrite is \"\(property)\""))
    }

    @Test("a mode with an escape in it is the same mode, and stands beside one point as well")
    func escapedMode() throws {
        let decoded = try Arrival().decode(
            #"{"v": 1, "ts": "2023-01-01T12:00:00Z", "overwrite": "update\u005fwindow"}"#)
        #expect(decoded == .accepted(.update, [point(Self.noon, 1)]))
    }

    @Test("a bare number replaces the moment of receipt when the message or the subscription says so")
    func bareNumber() throws {
        let moment = TimeRange(first: Arrival.now, last: Arrival.now)
        #expect(try Arrival(property: "replace_window").decode("1").action == .replace(moment))
        #expect(try Arrival(overwrite: .replaceWindow).decode("1").action == .stream(Arrival.rule))
    }

    @Test(
        "an explicit window goes with replace_window, and is replaced whole, stated by the message or by the subscription",
        arguments: [(.insert, "replace_window"), (.replaceWindow, nil), (.updateWindow, "replace_window")]
            as [(Overwrite, String?)])
    func explicitWindow(configured: Overwrite, stated: String?) throws {
        let window = Self.window("2023-01-01T00:00:00Z", "2023-01-02T00:00:00+01:00")
        let overwrite = stated.map { ", \"overwrite\": \"\($0)\"" } ?? ""
        let action = EditAction.replace(range("2023-01-01T00:00:00Z", "2023-01-01T23:00:00Z"))
        let arrival = Arrival(overwrite: configured)
        #expect(
            try arrival.decode("{\(window), \(Self.data)\(overwrite)}")
                == .accepted(action, [point(Self.noon, 1), point(Self.later, 2)]))
        // With no points it deletes the range.
        #expect(try arrival.decode("{\(window), \"data\": []\(overwrite)}") == .accepted(action, []))
    }

    @Test(
        "an explicit window with another mode is refused",
        arguments: [
            (Overwrite.insert, nil), (.updateWindow, nil), (.replaceWindow, "insert"), (.insert, "update_window"),
        ])
    func windowWithoutReplace(configured: Overwrite, stated: String?) throws {
        let window = Self.window(Self.noon, Self.later)
        for data in [Self.data, "\"data\": []"] {
            let decoded = try Arrival(overwrite: configured, property: stated).decode("{\(window), \(data)}")
            #expect(decoded.reason == .badWindow && decoded.pointer == "/window")
        }
    }

    @Test("both ends of an explicit window belong to it, and a point outside is refused at its place")
    func outsideWindow() throws {
        let arrival = Arrival(overwrite: .replaceWindow)
        #expect(try arrival.decode("{\(Self.window(Self.noon, Self.later)), \(Self.data)}").points?.count == 2)
        for (start, end, place) in [
            (Self.noon, "2023-01-01T12:09:59.999999Z", 0), ("2023-01-01T12:00:00.000001Z", Self.later, 1),
        ] {
            let decoded = try arrival.decode("{\(Self.data), \(Self.window(start, end))}")
            #expect(decoded.reason == .outsideWindow && decoded.pointer == "/data/\(place)/ts")
        }
    }

    @Test("no points and no window is refused in every mode", arguments: Overwrite.allCases)
    func noPoints(mode: Overwrite) throws {
        for payload in ["[]", "{\"data\": []}", "{\"data\": [], \"overwrite\": \"\(mode.rawValue)\"}"] {
            #expect(try Arrival(overwrite: mode).decode(payload).reason == .wrongShape)
        }
    }

    @Test(
        "timestamps outside the bounds are refused at their place, those on the bounds are accepted",
        arguments: [
            ("1990-01-01T00:00:00Z", true), ("1989-12-31T23:59:59.999999Z", false), ("2024-07-05T00:00:00Z", true),
            ("2024-07-05T00:00:00.000001Z", false), ("0000-01-01T00:00:00Z", false), ("9999-12-31T23:59:59Z", false),
        ])
    func bounds(timestamp: String, isAccepted: Bool) throws {
        for (payload, pointer) in [
            ("{\"v\": 1, \"ts\": \"\(timestamp)\"}", "/ts"),
            ("[{\"v\": 1}, {\"v\": 1, \"ts\": \"\(timestamp)\"}]", "/1/ts"),
            ("{\"data\": [{\"v\": 1, \"ts\": \"\(timestamp)\"}]}", "/data/0/ts"),
            (
                "{\"data\": [], \"overwrite\": \"replace_window\", \(Self.window(timestamp, timestamp))}",
                "/window/start"
            ),
        ] {
            let decoded = try Arrival().decode(payload)
            #expect(decoded.reason == (isAccepted ? nil : .timestampOutOfBounds))
            #expect(decoded.pointer == (isAccepted ? nil : pointer))
        }
    }

    @Test("a time of receipt outside the bounds is refused too: the clock is wrong")
    func wrongClock() throws {
        var arrival = Arrival()
        arrival.guards.oldest = Timestamp(microseconds: Arrival.now.microseconds + 1)
        #expect(try arrival.decode("1").reason == .timestampOutOfBounds)
    }

    @Test("a message that is tried again later goes by the bounds of then, with the time of its first receipt")
    func triedAgain() throws {
        let newest = "{\"v\": 1, \"ts\": \"2024-07-05T00:00:00.000001Z\"}"
        #expect(try Arrival().decode(newest).reason == .timestampOutOfBounds)
        var arrival = Arrival()
        arrival.judgedAt = Timestamp(microseconds: Arrival.now.microseconds + 1)
        #expect(try arrival.decode(newest).reason == nil)
        #expect(try arrival.decode("1").points?.map(\.timestamp) == [Arrival.now])
    }

    @Test("where a point has no ts, the place that is told is the point")
    func missingTimestamp() throws {
        let window = Self.window(Self.noon, Self.later)
        let decoded = try Arrival(overwrite: .replaceWindow).decode("{\(window), \"data\": [{\"v\": 1}]}")
        #expect(decoded.reason == .outsideWindow && decoded.pointer == "/data/0")
        var arrival = Arrival()
        arrival.guards.oldest = Timestamp(microseconds: Arrival.now.microseconds + 1)
        for (payload, pointer) in [("1", ""), ("{\"v\": 1}", ""), ("[{\"v\": 1}]", "/0")] {
            #expect(try arrival.decode(payload).pointer == pointer)
        }
    }

    @Test("bounds that lie beyond all time, or exclude each other, trap nothing")
    func extremeGuards() throws {
        for (oldest, ahead) in [(Int64.min, Int64.max), (0, .max), (.max, .min), (.max, 0), (0, .min)] {
            var arrival = Arrival()
            arrival.guards = Guards(
                oldest: Timestamp(microseconds: oldest), newestAhead: ahead, replaceMaxSpan: ahead)
            let decoded = try arrival.decode(
                #"{"v": 1, "ts": "9999-12-31T23:59:59.999999Z", "overwrite": "replace_window"}"#)
            #expect((decoded.reason == nil) == (ahead == .max && oldest <= 0))
        }
    }

    @Test("a window that is longer than replace.max_span is refused, stated or not, and no other mode is bounded by it")
    func windowTooLong() throws {
        let end = "2023-01-11T12:00:00Z"
        let tooLate = "2023-01-11T12:00:00.000001Z"
        func payload(_ last: String) -> String {
            "[{\"v\": 1, \"ts\": \"\(Self.noon)\"}, {\"v\": 1, \"ts\": \"\(last)\"}]"
        }
        for arrival in [Arrival(overwrite: .replaceWindow), Arrival(property: "replace_window")] {
            #expect(try arrival.decode(payload(end)).points?.count == 2)
            let decoded = try arrival.decode(payload(tooLate))
            #expect(decoded.reason == .windowTooLong && decoded.pointer == "")
            #expect(decoded.detail.contains("no more than 10d may be replaced at once"))
        }
        #expect(try Arrival(overwrite: .updateWindow).decode(payload(tooLate)).points?.count == 2)
        #expect(try Arrival().decode(payload(tooLate)).points?.count == 2)

        let explicit = "{\"data\": [], \"overwrite\": \"replace_window\", "
        #expect(try Arrival().decode(explicit + Self.window(Self.noon, end) + "}").points == [])
        let decoded = try Arrival().decode(explicit + Self.window(Self.noon, tooLate) + "}")
        #expect(decoded.reason == .windowTooLong && decoded.pointer == "/window")
    }

    @Test("a retained message is skipped when any point has no timestamp, and accepted when all have")
    func retained() throws {
        let arrival = Arrival(isRetained: true)
        #expect(try arrival.decode("12.3") == .skippedRetained)
        #expect(try arrival.decode(#"{"v": 1}"#) == .skippedRetained)
        #expect(try arrival.decode(#"[{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2}]"#) == .skippedRetained)
        #expect(try arrival.decode(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#).points == [point(Self.noon, 1)])
        // A message that is no message of ours is rejected, retained or not.
        #expect(try arrival.decode(#"{"v": "x"}"#).reason == .badValue)
    }

    @Test("the first subscription whose template matches decides")
    func firstMatch() throws {
        let decoder = MessageDecoder(
            subscriptions: [
                .init(template: try TopicTemplate("nodes/7/{tag}/{node}"), overwrite: .insert),
                .init(template: try TopicTemplate("nodes/{node}/{tag}"), overwrite: .updateWindow, epoch: .seconds),
                .init(template: try TopicTemplate("+/{node}/{tag}"), overwrite: .replaceWindow, stream: Arrival.rule),
            ], guards: Arrival().guards)
        let payload = Array(#"{"v": 1, "ts": 1672574400}"#.utf8)
        #expect(try Arrival().decode(payload, by: decoder).action == .update)
        // The third would take it, but for its numeric timestamp.
        #expect(try Arrival(topic: "other/7/t").decode(payload, by: decoder).reason == .badTimestamp)
        #expect(try Arrival(topic: "other/7/t").decode(Array("1".utf8), by: decoder).action == .stream(Arrival.rule))
        #expect(try Arrival(topic: "a/7").decode(payload, by: decoder).reason == .wrongTopic)
    }
}
