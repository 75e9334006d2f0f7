import Foundation
import GRDB
import Testing
import WindrowTestSupport

@Suite struct DataPathTests {
    @Test("the four forms of payload are stored")
    func payloadForms() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        try station.publisher.publish(#"{"v": 12.3, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try station.publisher.publish(
            #"[{"v": 1, "ts": "2023-01-01T12:00:01Z"}, {"v": 2, "ts": "2023-01-01T13:00:02+01:00"}]"#,
            on: "\(station.root)/1/t")
        try station.publisher.publish(
            #"{"data": [{"v": 9, "ts": "2023-01-01T12:00:00Z"}], "overwrite": "update_window"}"#,
            on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 9, time(1): 1, time(2): 2])

        let before = Date()
        try station.publisher.publish("21.5", on: "\(station.root)/1/bare")
        try waitUntil("the bare number is stored") { try station.stored(tag: "bare").count == 1 }
        let (stamp, value) = try #require(try station.stored(tag: "bare").first)
        #expect(value == 21.5)
        #expect(
            Double(stamp) / 1e6 >= before.timeIntervalSince1970 - 1
                && Double(stamp) / 1e6 <= Date().timeIntervalSince1970)
        #expect(try station.daemon.stop() == 0)
    }

    @Test(
        "insert keeps what is stored, update overwrites it, replace deletes the window: stated by envelope, property or configuration"
    )
    func modes() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let topic = "\(station.root)/1/t"
        try station.publisher.publish(
            #"[{"v": 0, "ts": "2023-01-01T12:00:00Z"}, {"v": 1, "ts": "2023-01-01T12:00:01Z"}, {"v": 2, "ts": "2023-01-01T12:00:02Z"}, {"v": 3, "ts": "2023-01-01T12:00:03Z"}]"#,
            on: topic)
        try station.publisher.publish(#"{"v": 9, "ts": "2023-01-01T12:00:00Z"}"#, on: topic)
        try station.waitUntilStored([time(0): 0, time(1): 1, time(2): 2, time(3): 3])
        try station.publisher.publish(
            #"{"v": 9, "ts": "2023-01-01T12:00:00Z"}"#, on: topic, userProperties: [("overwrite", "update_window")])
        try station.waitUntilStored([time(0): 9, time(1): 1, time(2): 2, time(3): 3])
        try station.publisher.publish(
            #"{"data": [{"v": 10, "ts": "2023-01-01T12:00:01Z"}, {"v": 30, "ts": "2023-01-01T12:00:03Z"}], "overwrite": "replace_window"}"#,
            on: topic)
        try station.waitUntilStored([time(0): 9, time(1): 10, time(3): 30])
        try station.publisher.publish(
            #"{"data": [], "overwrite": "replace_window", "window": {"start": "2023-01-01T12:00:01Z", "end": "2023-01-01T12:00:03Z"}}"#,
            on: topic)
        try station.waitUntilStored([time(0): 9])
        try station.checkAccounting()
    }

    @Test("a stream window replaces what lies between its messages, over several flushes")
    func streamWindow() throws {
        let station = try Station(subscription: "            overwrite: replace_window\n            max_gap: 10s")
        try station.daemon.startAndWait()
        let topic = "\(station.root)/1/t"
        func publish(_ second: Int64, _ value: Double, mode: String? = nil) throws {
            let property = mode.map { [("overwrite", $0)] } ?? []
            try station.publisher.publish(
                #"{"v": \#(value), "ts": "2023-01-01T12:00:\#(String(100 + second).dropFirst())Z"}"#, on: topic,
                userProperties: property)
        }
        for second in Int64(0)..<30 { try publish(second, 1, mode: "insert") }
        try publish(2, 5)
        try publish(6, 6)
        // A flush in between must make no difference.
        try waitUntil("the first part is flushed") { try station.stored()[time(6)] == 6 }
        try publish(9, 7)
        // The gap to this one is too long: a new window.
        try publish(20, 8)
        var expected = Dictionary(uniqueKeysWithValues: (Int64(0)..<30).map { (time($0), 1.0) })
        for second in Int64(2)...9 { expected[time(second)] = nil }
        expected.merge([time(2): 5, time(6): 6, time(9): 7, time(20): 8]) { $1 }
        try station.waitUntilStored(expected)
    }

    @Test("nodes are named by number or by UUID, in any case")
    func uuidNodes() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let uuid = "12345678-1234-1234-1234-1234567890AB"
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/\(uuid)/t")
        try station.publisher.publish(
            #"{"v": 2, "ts": "2023-01-01T12:00:01Z"}"#, on: "\(station.root)/\(uuid.lowercased())/t")
        try station.waitUntilStored([time(0): 1, time(1): 2])
    }

    @Test("a retained message without a timestamp is skipped, one with a timestamp is stored")
    func retained() throws {
        let station = try Station()
        try station.publisher.publish("5", on: "\(station.root)/1/t", retain: true)
        try station.publisher.publish(
            #"{"v": 6, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/u", retain: true)
        defer {
            for tag in ["t", "u"] { try? station.publisher.publish("", on: "\(station.root)/1/\(tag)", retain: true) }
        }
        try station.daemon.startAndWait()
        try station.waitUntilStored([time(0): 6], tag: "u")
        #expect(try station.stored(tag: "t").isEmpty)
        #expect(try station.daemon.metric("windrow_retained_skipped_total") == 1)
    }

    @Test("what was published while the daemon was stopped is stored after its start")
    func persistentSession() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        #expect(try station.daemon.stop() == 0)
        for second in 0..<5 {
            try station.publisher.publish(
                #"{"v": \#(second), "ts": "2023-01-01T12:00:0\#(second)Z"}"#, on: "\(station.root)/1/t")
        }
        try station.daemon.startAndWait()
        try station.waitUntilStored(Dictionary(uniqueKeysWithValues: (Int64(0)..<5).map { (time($0), Double($0)) }))
    }

    @Test("a topic that the configuration drops is unsubscribed, though the session goes on")
    func droppedTopic() throws {
        let station = try Station(subscription: "          - topic: \"old/{node}/{tag}\"")
        try station.daemon.startAndWait()
        try station.daemon.stop()
        try station.daemon.edit("          - topic: \"old/{node}/{tag}\"", to: "")
        try station.daemon.startAndWait()
        try station.daemon.waitUntilLogged("unsubscribing")
        try station.publisher.publish("1", on: "old/1/t")
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1])
        #expect(try station.deadLetters().isEmpty)
    }

    @Test("SIGTERM flushes what is pending at once, and the journal is left empty")
    func cleanStop() throws {
        let station = try Station(domain: "    lanes: 3")
        try station.daemon.edit("interval: 100ms", to: "interval: 1h")
        try station.daemon.startAndWait()
        for tag in ["a", "b", "c", "d"] {
            try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/\(tag)")
        }
        try waitUntil("the points are accepted") { try station.daemon.metric("windrow_points_pending") == 4 }
        #expect(try station.count() == 0)
        #expect(try station.daemon.stop() == 0)
        #expect(try station.count() == 4)
        let waiting = try DatabaseQueue(path: station.daemon.path + "/journal/demo/journal.sqlite").read {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM batch")
        }
        #expect(waiting == 0)
    }
}
