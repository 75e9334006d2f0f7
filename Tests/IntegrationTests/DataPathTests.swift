import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// A daemon with one domain on the shared servers.
struct Station {
    let daemon: DaemonProcess
    let database: String
    let publisher: Publisher
    /// The first level of this test's topics: tests share the broker.
    let root: String

    /// - Parameters:
    ///   - domain: further keys of the domain, indented by four spaces.
    ///   - subscription: further keys of the subscription, indented by ten spaces.
    init(sandbox: Sandbox = .shared, domain: String = "", subscription: String = "", more: String = "") throws {
        root = "t\(UUID().uuidString.prefix(8).lowercased())"
        database = try sandbox.makeDatabase()
        publisher = Publisher(sandbox)
        daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: \(database)
                    flush: {interval: 100ms}
                \(domain)
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                        client_id: \(root)
                        subscriptions:
                          - topic: \(root)/{node}/{tag}
                \(subscription)
                """, more: more)
    }

    /// The stored points of a series, ascending, as `ts v` with the time in microseconds.
    func stored(node: Int64 = 1, tag: String = "t") throws -> [Int64: Double] {
        let connection = try Connection(database, applicationName: "windrow tests")
        let rows = try connection.execute(
            "SELECT ts, v FROM windrow.timeseries WHERE node_id = $1 AND tag = $2", [.int8(node), .text(tag)])
        var points: [Int64: Double] = [:]
        for row in 0..<rows.count { points[try rows.timestamp(row, 0)] = try rows.double(row, 1) }
        return points
    }

    func count() throws -> Int {
        let connection = try Connection(database, applicationName: "windrow tests")
        return Int(try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0))
    }

    func waitUntilStored(_ expected: [Int64: Double], node: Int64 = 1, tag: String = "t") throws {
        do {
            try waitUntil("\(expected.count) points are stored", timeout: .seconds(20)) {
                try stored(node: node, tag: tag) == expected
            }
        } catch {
            throw FixtureError("\(error); stored: \(try stored(node: node, tag: tag)); log:\n\(daemon.log.suffix(3000))")
        }
    }
}

/// 2023-01-01T12:00:00Z plus seconds, in microseconds.
func time(_ seconds: Int64) -> Int64 { 1_672_574_400_000_000 + seconds * 1_000_000 }

@Suite struct DataPathTests {
    @Test("the four forms of payload are stored")
    func payloadForms() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        try station.publisher.publish(#"{"v": 12.3, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try station.publisher.publish(
            #"[{"v": 1, "ts": "2023-01-01T12:00:01Z"}, {"v": 2, "ts": "2023-01-01T13:00:02+01:00"}]"#, on: "\(station.root)/1/t")
        try station.publisher.publish(
            #"{"data": [{"v": 9, "ts": "2023-01-01T12:00:00Z"}], "overwrite": "update_window"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 9, time(1): 1, time(2): 2])

        let before = Date()
        try station.publisher.publish("21.5", on: "\(station.root)/1/bare")
        try waitUntil("the bare number is stored") { try station.stored(tag: "bare").count == 1 }
        let (stamp, value) = try #require(try station.stored(tag: "bare").first)
        #expect(value == 21.5)
        #expect(Double(stamp) / 1e6 >= before.timeIntervalSince1970 - 1 && Double(stamp) / 1e6 <= Date().timeIntervalSince1970)
        #expect(try station.daemon.stop() == 0)
    }
}
