import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite struct StatusTests {
    private func get(_ station: Station, _ path: String) throws -> HTTPConnection.Response {
        try HTTPConnection(port: station.daemon.adminPort).get(path)
    }

    private func rows(_ station: Station, _ query: String = "") throws -> [[String: Any]] {
        let response = try get(station, "/api/series?domain=demo\(query)")
        guard response.status == 200 else { throw FixtureError("\(response.status): \(response.text)") }
        return response.json["rows"] as? [[String: Any]] ?? []
    }

    private func names(_ rows: [[String: Any]]) -> [String] {
        rows.map { "\($0["node"] ?? "?")/\($0["tag"] ?? "?")" }
    }

    @Test("the status has the version, what works, the figures of now and the last minutes")
    func status() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        try station.publisher.publish("[1, 2]", on: "\(station.root)/1/t")
        try station.publisher.publish("1", on: "\(station.root)/1/t")
        let status = try waitUntil("there is a sample") {
            let status = try get(station, "/api/status?domain=demo").json
            let history = status["history"] as? [String: Any]
            return (history?["received"] as? [Double])?.isEmpty == false ? status : nil
        }
        #expect(status["version"] as? String == "0.1.0")
        let domain = try #require((status["domains"] as? [[String: Any]])?.first)
        #expect(domain["name"] as? String == "demo")
        #expect(domain["active_series"] as? Int == 1)
        #expect(domain["silent_series"] as? Int == 0)
        #expect(domain["pending"] as? Int == 0)
        #expect(domain["journal_limit"] as? Int == 4 << 30)
        let parts = domain["parts"] as? [[String: Any]] ?? []
        #expect(parts.map { $0["part"] as? String } == ["broker", "postgres", "journal"])
        #expect(parts.allSatisfy { ($0["failures"] as? [Any])?.isEmpty == true })
        let history = try #require(status["history"] as? [String: Any])
        #expect(history["step"] as? Double == 5)
        #expect((history["flush_median"] as? [Any])?.count == (history["received"] as? [Any])?.count)
        #expect(try get(station, "/api/status").json["history"] == nil)
        #expect(try station.daemon.metric("windrow_series") == 1)
        #expect(try station.daemon.metric("windrow_series_silent") == 0)
    }

    @Test("a series that falls silent comes first, and is counted")
    func silence() throws {
        let station = try Station(domain: "    silent_after: 1s")
        try station.daemon.startAndWait()
        // Each waits for the one before: a pace that the daemon's own flushes set.
        for count in 1...12 {
            try station.publisher.publish("\(count)", on: "\(station.root)/1/steady")
            try waitUntil("it is stored") { try station.stored(tag: "steady").count == count }
        }
        try station.publisher.publish("7", on: "\(station.root)/2/once")
        try waitUntil("the steady one is silent") { try station.daemon.metric("windrow_series_silent") == 1 }
        let rows = try waitUntil("it comes first") {
            let rows = try self.rows(station)
            return rows.first?["is_silent"] as? Bool == true ? rows : nil
        }
        #expect(names(rows) == ["1/steady", "2/once"])
        #expect(rows[0]["value"] as? Double == 12)
        #expect((rows[0]["usual"] as? Double).map { $0 > 0 && $0 < 5 } == true)
        #expect((rows[0]["quiet"] as? Double).map { $0 > 1 } == true)
        #expect(rows[1]["is_silent"] as? Bool == false)
        #expect(rows[1]["usual"] == nil)
        #expect(names(try self.rows(station, "&order=recent")) == ["2/once", "1/steady"])
        // Silent no more. The look at the series may be two seconds old.
        try station.publisher.publish("13", on: "\(station.root)/1/steady")
        try waitUntil("it is heard again") { try station.daemon.metric("windrow_series_silent") == 0 }
    }

    @Test("series are found by node, tag, or both; also those that were not written since the start")
    func search() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let uuid = "12345678-1234-1234-1234-1234567890ab"
        let series: KeyValuePairs = [
            "12": "temp", "13": "Temp_1", "14": "temp%", "15": "12", uuid: "door",
        ]
        for (node, tag) in series {
            try station.publisher.publish(
                #"{"v": 5.5, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/\(node)/\(tag)")
        }
        try waitUntil("all are stored") { try station.count() == 5 }
        try station.daemon.stop()
        try station.daemon.startAndWait()
        #expect(try rows(station).isEmpty)
        #expect(names(try rows(station, "&search=TEMP")) == ["12/temp", "13/Temp_1", "14/temp%"])
        #expect(names(try rows(station, "&search=temp%25")) == ["14/temp%"])
        #expect(names(try rows(station, "&search=p_")) == ["13/Temp_1"])
        #expect(names(try rows(station, "&search=12")) == ["12/temp", "15/12"])
        #expect(names(try rows(station, "&search=12/")) == ["12/temp"])
        #expect(names(try rows(station, "&search=13/tem")) == ["13/Temp_1"])
        #expect(names(try rows(station, "&search=\(uuid)")) == ["16/door"])
        #expect(try rows(station, "&search=x/y").isEmpty)
        #expect(names(try rows(station, "&order=name&limit=2")) == ["12/temp", "13/Temp_1"])
        #expect(try get(station, "/api/series?domain=demo&order=name&limit=2").json["is_cut"] as? Bool == true)
        let found = try #require(try rows(station, "&search=door").first)
        #expect(found["value"] as? Double == 5.5)
        #expect(found["time"] as? String == "2023-01-01T12:00:00Z")
        #expect(found["quiet"] == nil)
        for query in ["&limit=0", "&limit=201", "&order=x", "&serach=a"] {
            #expect(try get(station, "/api/series?domain=demo\(query)").status == 400)
        }
        #expect(try get(station, "/api/series").status == 400)
        #expect(try get(station, "/api/series?domain=other").status == 404)
    }

    @Test("points come in at most 300 stretches, with least, mean and greatest value of each")
    func points() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try waitUntil("the series is there") { try station.count() == 1 }
        try Connection(station.database, applicationName: "windrow tests").execute(
            """
            INSERT INTO windrow.point SELECT 1, '2023-01-01T12:00:00Z'::timestamptz + n * interval '1 second', n % 10
            FROM generate_series(1, 35999) n
            """)
        let range = "start=2023-01-01T12:00:00Z&end=2023-01-01T21:59:59Z"
        let answer = try get(station, "/api/points?domain=demo&series=1&\(range)")
        let buckets = try #require(answer.json["buckets"] as? [[Double]])
        #expect((290...300).contains(buckets.count))
        #expect(buckets.reduce(0) { $0 + $1[4] } == 36_000)
        #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0[0] < $1[0] })
        #expect(buckets.dropFirst().allSatisfy { $0[1] == 0 && $0[3] == 9 && abs($0[2] - 4.5) < 0.2 })
        let few = try get(
            station, "/api/points?domain=demo&series=1&start=2023-01-01T12:00:01Z&end=2023-01-01T12:00:03Z")
        #expect(few.json["buckets"] as? [[Double]] == [[0, 1, 1, 1, 1], [1, 2, 2, 2, 1], [2, 3, 3, 3, 1]])
        #expect(
            (try get(station, "/api/points?domain=demo&series=9&\(range)").json["buckets"] as? [Any])?.isEmpty == true)
        for query in ["", "series=1&start=x", "series=1&start=2023-01-01T12:00:00Z&end=2023-01-01T12:00:00Z"] {
            #expect(try get(station, "/api/points?domain=demo&\(query)").status == 400)
        }
    }

    @Test("without PostgreSQL the status goes on, names and points are missing, and silence is not counted")
    func outage() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox, domain: "    silent_after: 1s")
        try station.daemon.startAndWait()
        for count in 1...12 {
            try station.publisher.publish("\(count)", on: "\(station.root)/1/steady")
            try waitUntil("it is stored") { try station.stored(tag: "steady").count == count }
        }
        try sandbox.stop(.postgres)
        try station.publisher.publish("13", on: "\(station.root)/1/steady")
        try waitUntil("the outage is noticed") { try station.daemon.get("/readyz").status == 503 }
        let quiet = try #require(try rows(station).first?["quiet"] as? Double)
        // On a slow machine it was silent before.
        let silent = try station.daemon.metric("windrow_series_silent")
        let noticed = ContinuousClock.now
        try waitUntil("that would be silence") { .now - noticed > .seconds(4) }
        let answer = try get(station, "/api/series?domain=demo").json
        let row = try #require((answer["rows"] as? [[String: Any]])?.first)
        #expect(answer["problem"] as? String != nil)
        #expect(row["tag"] == nil)
        #expect((row["quiet"] as? Double).map { $0 < quiet + 1 } == true)
        #expect(try station.daemon.metric("windrow_series_silent") == silent)
        #expect(try get(station, "/api/points?domain=demo&series=1").status == 503)
        #expect(try get(station, "/api/series?domain=demo&search=a").status == 503)
        #expect(try get(station, "/api/dead-letters?domain=demo").status == 200)
        let status = try get(station, "/api/status?domain=demo").json
        let parts = ((status["domains"] as? [[String: Any]])?.first?["parts"] as? [[String: Any]]) ?? []
        #expect((parts.first { $0["part"] as? String == "postgres" }?["failures"] as? [Any])?.isEmpty == false)
        try sandbox.start(.postgres)
        // A series that is looked up finds out at once.
        try station.publisher.publish("1", on: "\(station.root)/2/other")
        try station.daemon.waitUntilReady()
        try waitUntil("names are back") { try Set(names(rows(station))) == ["1/steady", "2/other"] }
    }

    @Test("no more than eight questions wait for PostgreSQL; further ones are told so at once")
    func crowd() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let database = try Connection(station.database, applicationName: "windrow tests")
        try database.script("BEGIN; LOCK TABLE windrow.series IN ACCESS EXCLUSIVE MODE")
        let clients = try (0..<12).map { _ in try HTTPConnection(port: station.daemon.adminPort) }
        for client in clients {
            try client.socket.send("GET /api/series?domain=demo&search=a HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        }
        try waitUntil("four are answered at once", timeout: .seconds(4)) {
            clients.count { $0.socket.hasInput(within: .zero) } == 4
        }
        #expect(try get(station, "/api/status").status == 200)
        try database.script("ROLLBACK")
        let answers = try clients.map { try $0.response() }
        #expect(answers.count { $0.status == 503 && $0.text.contains("8 questions wait for PostgreSQL already") } == 4)
        #expect(answers.count { $0.status == 200 } == 8)
    }

    @Test("dead letters come by reason, with examples in which nothing is left that does not print")
    func deadLetters() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        for count in 0..<5 {
            try station.publisher.publish("{\"v\": \u{1b}[31m \(count)", on: "\(station.root)/1/t")
        }
        try station.publisher.publish("1", on: "\(station.root)/<b>\u{202e}/t")
        let reasons = try waitUntil("all are kept") {
            let answer = try get(station, "/api/dead-letters?domain=demo").json
            let reasons = answer["reasons"] as? [[String: Any]] ?? []
            return reasons.reduce(0) { $0 + ($1["count"] as? Int ?? 0) } == 6 ? reasons : nil
        }
        #expect(reasons.map { $0["reason"] as? String } == ["malformed_json", "bad_node"])
        let examples = try #require(reasons[0]["examples"] as? [[String: Any]])
        #expect(examples.count == 3)
        #expect(examples[0]["payload"] as? String == #"{"v": \u{1b}[31m 4"#)
        #expect(examples[0]["payload_size"] as? Int == 13)
        let node = try #require((reasons[1]["examples"] as? [[String: Any]])?.first)
        #expect(node["topic"] as? String == #"\#(station.root)/<b>\u{202e}/t"#)
    }

    @Test("only GET and HEAD are answered, and no foreign name; health and metrics go by any name")
    func access() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        func ask(_ line: String, host: String) throws -> HTTPConnection.Response {
            let connection = try HTTPConnection(port: station.daemon.adminPort)
            try connection.socket.send("\(line) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8)
            return try connection.response()
        }
        for path in ["/", "/page.js", "/page.css", "/api/status"] {
            #expect(try ask("GET \(path)", host: "127.0.0.1:\(station.daemon.adminPort)").status == 200)
            #expect(try ask("GET \(path)", host: "evil.example").status == 421)
            #expect(try ask("POST \(path)", host: "localhost").status == 405)
        }
        for path in ["/healthz", "/readyz", "/metrics"] {
            #expect(try ask("GET \(path)", host: "prometheus.example").status == 200)
        }
        let page = try ask("GET /", host: "localhost")
        #expect(page.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(page.headers["x-content-type-options"] == "nosniff")
        #expect(page.headers["access-control-allow-origin"] == nil)
        #expect(
            !page.text.contains("http://") || page.text.components(separatedBy: "http://").count == 2,
            "but for SVG's name")
        #expect(try ask("GET /nothing", host: "localhost").status == 404)
        #expect(try ask("DELETE /metrics", host: "localhost").headers["allow"] == "GET, HEAD")
        let head = try HTTPConnection(port: station.daemon.adminPort)
        try head.socket.send("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        let answer = try #require(try head.socket.receive(through: "\r\n\r\n"))
        #expect(answer.hasPrefix("HTTP/1.1 200"))
        #expect(try head.socket.receive(through: "<html") == nil)
    }
}
