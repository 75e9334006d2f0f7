import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite struct BadInputTests {
    @Test("each bad message becomes a dead letter with its reason, and the good one after it is stored")
    func deadLetters() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let root = station.root
        let deep = String(repeating: #"{"a":"#, count: 100) + "1" + String(repeating: "}", count: 100)
        let cases: [(topic: String, payload: Data, reason: String)] = [
            ("\(root)/abc/t", Data("1".utf8), "bad_node"),
            ("\(root)/0/t", Data("1".utf8), "bad_node"),
            ("\(root)/1/\(String(repeating: "x", count: 300))", Data("1".utf8), "bad_tag"),
            ("\(root)/1/t", Data(), "empty_payload"),
            ("\(root)/1/t", Data(#"{"v": 1,"#.utf8), "malformed_json"),
            ("\(root)/1/t", Data("hello".utf8), "malformed_json"),
            ("\(root)/1/t", Data(repeating: 0x78, count: 1 << 20), "malformed_json"),
            ("\(root)/1/t", Data([0x22, 0xFF, 0xFE, 0x22]), "invalid_utf8"),
            ("\(root)/1/t", Data((#"{"v": 1, "x": "# + deep + "}").utf8), "too_deep"),
            ("\(root)/1/t", Data("true".utf8), "wrong_shape"),
            ("\(root)/1/t", Data("[]".utf8), "wrong_shape"),
            ("\(root)/1/t", Data(#"{"v": null, "ts": "2023-01-01T12:00:00Z"}"#.utf8), "bad_value"),
            ("\(root)/1/t", Data(#"{"v": "12", "ts": "2023-01-01T12:00:00Z"}"#.utf8), "bad_value"),
            ("\(root)/1/t", Data(#"{"v": 1e999, "ts": "2023-01-01T12:00:00Z"}"#.utf8), "bad_value"),
            ("\(root)/1/t", Data(#"{"v": 1, "ts": "yesterday"}"#.utf8), "bad_timestamp"),
            ("\(root)/1/t", Data(#"{"v": 1, "ts": 1672574400}"#.utf8), "bad_timestamp"),
            ("\(root)/1/t", Data(#"{"v": 1, "ts": "1970-01-01T00:00:00Z"}"#.utf8), "timestamp_out_of_bounds"),
            ("\(root)/1/t", Data(#"{"v": 1, "ts": "2199-01-01T00:00:00Z"}"#.utf8), "timestamp_out_of_bounds"),
            ("\(root)/1/t", Data(#"{"data": [{"v": 1}], "overwrite": "everything"}"#.utf8), "bad_overwrite"),
            (
                "\(root)/1/t",
                Data(
                    #"{"data": [], "overwrite": "replace_window", "window": {"start": "2020-01-01T00:00:00Z", "end": "2022-01-01T00:00:00Z"}}"#
                        .utf8),
                "window_too_long"
            ),
        ]
        for (topic, payload, _) in cases { try station.publisher.publish(payload, on: topic) }
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(root)/1/t")
        try station.waitUntilStored([time(0): 1])

        let letters = try station.deadLetters()
        #expect(letters.map(\.reason) == cases.map(\.reason))
        for (letter, sent) in zip(letters, cases) {
            #expect(letter.topic == sent.topic)
            #expect(letter.payload == sent.payload)
            #expect(letter.detail.count > 10, "\(letter.reason): \(letter.detail)")
        }
        for reason in Set(cases.map(\.reason)) {
            let counted = try station.daemon.metric(#"windrow_rejections_total{domain="demo",reason="\#(reason)"}"#)
            #expect(counted.map { Int($0) } == cases.count { $0.reason == reason }, "\(reason)")
        }
        try station.checkAccounting()
    }

    @Test("a message too large for the journal is a dead letter, and does not come again for ever")
    func tooLarge() throws {
        let station = try Station()
        let text = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "/journal\n", with: "/journal\n  max_size: 1MiB\n")
            .write(toFile: station.daemon.configuration, atomically: true, encoding: .utf8)
        try station.daemon.startAndWait()
        // Nearly as large as is accepted, all at once: the batch must fit too.
        let large = #"[{"v": 1, "ts": "2023-01-01T12:00:00Z"}"# + String(repeating: " ", count: 32_000) + "]"
        for _ in 0..<40 { try station.publisher.publish(large, on: "\(station.root)/1/t") }
        try station.publisher.publish(String(repeating: "1", count: 33_000), on: "\(station.root)/1/t")
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:01Z"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1, time(1): 1])
        #expect(try station.deadLetters().map(\.reason) == ["too_large"])
        try station.checkAccounting()
    }

    @Test("of a message larger than any dead letter the beginning is kept, with its true size and user property")
    func muchTooLarge() throws {
        let station = try Station()
        let text = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "/journal\n", with: "/journal\n  max_size: 8MiB\n")
            .write(toFile: station.daemon.configuration, atomically: true, encoding: .utf8)
        try station.daemon.startAndWait()
        let large = Data((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 >> 8 ^ $0) })
        try station.publisher.publish(large, on: "\(station.root)/1/t", userProperties: [("overwrite", "insert")])
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1])
        let letter = try #require(try station.deadLetters().first)
        #expect(letter.reason == "too_large")
        #expect(letter.detail.contains("the payload has 5000000 bytes, no more than 262144 are accepted"))
        #expect(letter.payload == large.prefix(1 << 20))
        let stored = try station.deadLetterColumn("payload_size || overwrite")
        #expect(stored == ["5000000insert"])
        try station.checkAccounting()
    }

    @Test("a topic that fits no template is a dead letter")
    func wrongTopic() throws {
        // The broker's wildcard is wider than the template after the topic was dropped from a session.
        let station = try Station(subscription: "          - topic: \"extra/{node}/{tag}\"")
        try station.daemon.startAndWait()
        try station.daemon.stop()
        try station.publisher.publish("1", on: "extra/1/t")
        let text = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "          - topic: \"extra/{node}/{tag}\"", with: "")
            .write(toFile: station.daemon.configuration, atomically: true, encoding: .utf8)
        try station.daemon.startAndWait()
        try waitUntil("the message is a dead letter") { try station.deadLetters().map(\.reason) == ["wrong_topic"] }
    }

    @Test("with unknown_nodes: reject an unknown node is a dead letter, whole and readable; a known one is stored")
    func unknownNodes() throws {
        let station = try Station(domain: "    unknown_nodes: reject")
        try station.daemon.startAndWait()
        try Connection(station.database, applicationName: "windrow tests").script(
            "INSERT INTO windrow.node (id) VALUES (1)")
        let payload = #"[{"v": 1.5, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:00:01Z"}]"#
        try station.publisher.publish(payload, on: "\(station.root)/2/t")
        try station.publisher.publish(payload, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1.5, time(1): 2])
        let letters = try station.deadLetters()
        #expect(letters.map(\.reason) == ["unknown_node"])
        #expect(letters.map(\.topic) == ["nodes/2/t"])
        let kept = try #require(letters.first.map { String(decoding: $0.payload, as: UTF8.self) })
        #expect(
            kept
                == #"{"data":[{"v":1.5,"ts":"2023-01-01T12:00:00Z"},{"v":2.0,"ts":"2023-01-01T12:00:01Z"}],"overwrite":"insert"}"#
        )
        try station.checkAccounting()
    }
}
