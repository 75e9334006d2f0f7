import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite struct ReadBackTests {
    private func points(_ response: HTTPConnection.Response, _ place: Int = 0) -> [[String: Any]] {
        let series = response.json["timeseries"] as? [[String: Any]] ?? []
        return place < series.count ? series[place]["data"] as? [[String: Any]] ?? [] : []
    }

    /// Of one series, without making objects of so many points.
    private func pointCount(_ response: HTTPConnection.Response) -> Int {
        response.body.withUnsafeBytes { $0.count { $0 == UInt8(ascii: "{") } } - 2
    }

    @Test("what was written is read back: start included, end excluded, all tags or one")
    func ranges() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        #expect(
            try client.post(Station.call("silent=true"), element((0..<5).map { item($0, Double($0) + 0.25) }, tag: "a"))
                .status == 204)
        #expect(try client.post(Station.call("silent=true"), element([item(7, -1e-300)], tag: "b")).status == 204)
        func values(_ query: String, _ place: Int = 0) throws -> [Double] {
            points(try client.get(Station.call(query)), place).map { $0["v"] as? Double ?? .nan }
        }
        #expect(try values("node_id=1&tag=a") == [0.25, 1.25, 2.25, 3.25, 4.25])
        #expect(try values("node_id=1&tag=a&start=\(stamp(1))&end=\(stamp(3))") == [1.25, 2.25])
        #expect(
            try values("node_id=1&tag=a&start=2023-01-01T13:00:01%2B01:00&end=2023-01-01T13:00:02%2B01:00") == [1.25])
        #expect(try values("node_id=1&tag=a&start=\(stamp(3))&end=\(stamp(3))") == [])
        #expect(try values("node_id=1", 1) == [-1e-300])
        let all = try client.get(Station.call("node_id=1"))
        #expect((all.json["timeseries"] as? [[String: Any]])?.map { $0["tag"] as? String } == ["a", "b"])
        let none = try client.get(Station.call("node_id=1&tag=c"))
        #expect(none.text == #"{"timeseries":[{"node_id":1,"tag":"c","data":[]}]}"#)
        #expect(try client.get(Station.call("node_id=99&tag=a")).status == 404)
        let plus = try client.get(Station.call("node_id=1&tag=a&start=2023-01-01T12:00:00+01:00"))
        #expect(plus.status == 400)
        #expect(plus.json["detail"].map { "\($0)".contains("%2B") } == true)
        for query in [
            "", "tag=a", "node_id=0&tag=a", "node_id=1&tag=", "node_id=1&tag=a&start=x", "node_id=1&node_id=2",
        ] {
            #expect(try client.get(Station.call(query)).status == 400)
        }
    }

    @Test("pages fit together, whatever the number of points")
    func pages() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        let database = try Connection(station.database, applicationName: "windrow tests")
        #expect(try client.post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        for count in [4999, 5000, 5001, 10_000, 12_345] {
            try database.execute("DELETE FROM windrow.point")
            try database.execute(
                """
                INSERT INTO windrow.point SELECT 1, '2023-01-01T12:00:00Z'::timestamptz + n * interval '1 microsecond', n
                FROM generate_series(1, $1) n
                """, [.int4(Int32(count))])
            let response = try client.get(Station.call("node_id=1&tag=t"))
            // Which Foundation would read over.
            #expect(!response.text.contains(",]") && !response.text.contains(",,"))
            let read = points(response)
            #expect(read.map { $0["v"] as? Int } == (1...count).map { $0 })
        }
    }

    @Test("what is read is streamed: neither a fast nor a slow reader makes the daemon hold them")
    func memory() throws {
        // A sanitized daemon needs longer for the fast reader than a slow one may wait.
        let station = try Station(http: Sanitizer.isOn ? "  request_timeout: 10m" : "")
        try station.daemon.startAndWait()
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        try Connection(station.database, applicationName: "windrow tests").execute(
            """
            INSERT INTO windrow.point SELECT 1, '2023-01-01T12:00:00Z'::timestamptz + n * interval '1 second', n
            FROM generate_series(1, 300000) n
            """)
        let before = station.daemon.residentMemory
        // One that does not read, and one that does.
        let slow = try station.client()
        try slow.socket.send(
            "GET \(Station.call("node_id=1&tag=t")) HTTP/1.1\r\nHost: a\r\nAuthorization: Key demo-secret\r\n\r\n".utf8)
        let fast = try station.client().get(Station.call("node_id=1&tag=t"))
        #expect(pointCount(fast) == 300_001)
        // Half of what they are as text, for both.
        let grown = station.daemon.residentMemory - before
        #expect(Sanitizer.isOn || grown < fast.body.count, "grew by \(grown >> 10) KiB, of \(fast.body.count >> 10)")
        #expect(try slow.response().body == fast.body)
    }

    @Test("a reader that stops reading is cut off")
    func stalled() throws {
        let station = try Station(http: "  request_timeout: 1s")
        try station.daemon.startAndWait()
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        try Connection(station.database, applicationName: "windrow tests").execute(
            """
            INSERT INTO windrow.point SELECT 1, '2023-01-01T12:00:00Z'::timestamptz + n * interval '1 second', n
            FROM generate_series(1, 500000) n
            """)
        let client = try station.client()
        try client.socket.send(
            "GET \(Station.call("node_id=1&tag=t")) HTTP/1.1\r\nHost: a\r\nAuthorization: Key demo-secret\r\n\r\n".utf8)
        try waitUntil("its connection is closed") { try station.openSockets() == 0 }
        #expect(throws: FixtureError.self) { try client.response() }
    }

    @Test("while PostgreSQL is away a read is 503, and works again when it is back")
    func outage() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try station.daemon.startAndWait()
        let client = try station.client()
        #expect(try client.post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
        #expect(try client.get(Station.call("node_id=1&tag=t")).status == 200)
        try sandbox.stop(.postgres)
        let away = try client.get(Station.call("node_id=1&tag=t"))
        #expect(away.status == 503)
        #expect(away.headers["retry-after"] != nil)
        try sandbox.start(.postgres)
        #expect(try client.get(Station.call("node_id=1&tag=t")).status == 200)
    }
}
