import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// One point as the call takes it.
func item(_ second: Int, _ value: Double) -> String { #"{"v": \#(value), "ts": "\#(stamp(second))"}"# }

/// A request with one element.
func element(_ points: [String], node: String = "1", tag: String = "t", more: String = "") -> String {
    #"[{"node_id": \#(node), "tag": "\#(tag)", "data": [\#(points.joined(separator: ","))]\#(more)}]"#
}

@Suite struct RequestTests {
    @Test("200 and 204 mean committed: the very next SELECT sees the points")
    func committed() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        for second in 0..<50 {
            let response = try client.post(
                Station.call(second % 2 == 0 ? "silent=true" : ""), element([item(second, Double(second))]))
            #expect(response.status == (second % 2 == 0 ? 204 : 200))
            #expect(try station.stored()[time(Int64(second))] == Double(second))
        }
        try station.checkAccounting()
        #expect(try station.daemon.metric(#"windrow_http_requests_total{domain="demo",status="204"}"#) == 25)
    }

    @Test("the answer tells each element with its node as it was named, its points and its window")
    func summary() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let uuid = "12345678-1234-1234-1234-123456789012"
        let response = try station.client().post(
            Station.call("overwrite=replace_window"),
            """
            [{"node_id": 1, "tag": "a \\"quoted\\" \\\\ é", "data": [\(item(10, 1)), \(item(0, 2))]},
             {"node_id": "\(uuid.uppercased())", "tag": "t", "data": [],
              "window": {"start": "\(stamp(0))", "end": "\(stamp(60))"}}]
            """)
        #expect(response.status == 200)
        #expect(response.headers["content-type"] == "application/json")
        let told = try #require(response.json["timeseries"] as? [[String: Any]])
        #expect(told[0]["node_id"] as? Int == 1)
        #expect(told[0]["tag"] as? String == "a \"quoted\" \\ é")
        #expect(told[0]["points"] as? Int == 2)
        #expect(told[0]["start"] as? String == stamp(0))
        #expect(told[0]["end"] as? String == stamp(10))
        #expect(told[1]["node_id"] as? String == uuid)
        #expect(told[1]["points"] as? Int == 0)
        #expect(told[1]["end"] as? String == stamp(60))
    }

    @Test("insert keeps, update overwrites, replace deletes its window, an explicit one too")
    func modes() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        func post(_ query: String, _ body: String) throws {
            #expect(try client.post(Station.call("silent=true" + query), body).status == 204)
        }
        try post("", element((0..<4).map { item($0, Double($0)) }))
        try post("", element([item(0, 9)]))
        #expect(try station.stored() == [time(0): 0, time(1): 1, time(2): 2, time(3): 3])
        try post("&overwrite=update_window", element([item(0, 9), item(5, 5)]))
        #expect(try station.stored() == [time(0): 9, time(1): 1, time(2): 2, time(3): 3, time(5): 5])
        try post("&overwrite=replace_window", element([item(1, 10), item(3, 30)]))
        #expect(try station.stored() == [time(0): 9, time(1): 10, time(3): 30, time(5): 5])
        let window = #", "window": {"start": "\#(stamp(1))", "end": "\#(stamp(4))"}"#
        try post("&overwrite=replace_window", element([item(2, 2)], more: window))
        #expect(try station.stored() == [time(0): 9, time(2): 2, time(5): 5])
        try post("&overwrite=replace_window", element([], more: window))
        #expect(try station.stored() == [time(0): 9, time(5): 5])
        try station.checkAccounting()
    }

    @Test("a node is found by its number and by its UUID, and several series go in one request")
    func nodes() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        let uuid = "12345678-1234-1234-1234-123456789012"
        let body = """
            [{"node_id": 1, "tag": "t", "data": [\(item(0, 1))]}, {"node_id": 2, "tag": "t", "data": [\(item(0, 2))]},
             {"node_id": "\(uuid)", "tag": "t", "data": [\(item(0, 3))]}]
            """
        #expect(try client.post(Station.call("silent=true"), body).status == 204)
        #expect(try station.stored(node: 3) == [time(0): 3])
        #expect(
            try client.post(Station.call("silent=true&overwrite=update_window"), element([item(0, 4)], node: "3"))
                .status == 204)
        let read = try client.get(Station.call("node_id=\(uuid)&tag=t"))
        #expect(
            read.text == #"{"timeseries":[{"node_id":"\#(uuid)","tag":"t","data":[{"v":4.0,"ts":"\#(stamp(0))"}]}]}"#)
    }

    @Test("requests that wait together share a commit")
    func groupCommit() throws {
        let station = try Station(domain: "    lanes: 1")
        try station.daemon.startAndWait()
        // A lock holds the first flush up until all others wait behind it.
        let blocker = try Connection(station.database, applicationName: "windrow tests")
        try blocker.script("BEGIN; LOCK windrow.point IN EXCLUSIVE MODE")
        let clients = try (0..<20).map { _ in try station.client() }
        for (second, client) in clients.enumerated() {
            try client.send(Station.call("silent=true"), Array(element([item(second, 1)]).utf8))
        }
        try waitUntil("all are accepted") { try station.daemon.metric("windrow_records_total") == 20 }
        try blocker.script("COMMIT")
        for client in clients { #expect(try client.response().status == 204) }
        #expect(try station.daemon.metric("windrow_flushes_total") ?? 0 <= 3)
    }

    @Test("a request of several elements is rejected whole: nothing of it is stored")
    func whole() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        let body = """
            [{"node_id": 1, "tag": "t", "data": [\(item(0, 1))]}, {"node_id": 2, "tag": "t", "data": [\(item(0, 1)), {"v": null}]}]
            """
        let response = try client.post(Station.call(), body)
        #expect(response.status == 400)
        #expect(response.headers["content-type"] == "application/problem+json")
        #expect(response.json["pointer"] as? String == "/1/data/1/v")
        #expect(response.json["type"] as? String == "urn:windrow:problem:bad_value")
        #expect(response.json["status"] as? Int == 400)
        #expect(try client.post(Station.call("silent=true"), element([item(1, 1)])).status == 204)
        #expect(try station.count() == 1)
        #expect(try station.deadLetters().isEmpty)
        try station.checkAccounting()
        #expect(try station.daemon.metric(#"windrow_rejections_total{domain="demo",reason="bad_value"}"#) == 1)
    }

    @Test("who asks for the wrong thing is told what is wrong, and the connection stays of use")
    func refusals() throws {
        let station = try Station(http: "  max_body: 1KiB")
        try station.daemon.startAndWait()
        let client = try station.client()
        let good = element([item(0, 1)])
        func check(
            _ status: Int, _ kind: String, _ response: HTTPConnection.Response,
            location: SourceLocation = #_sourceLocation
        ) {
            #expect(response.status == status, sourceLocation: location)
            #expect(response.json["type"] as? String == "urn:windrow:problem:\(kind)", sourceLocation: location)
            #expect(response.json["status"] as? Int == status, sourceLocation: location)
            #expect(!(response.json["detail"] as? String ?? "").isEmpty, sourceLocation: location)
        }
        check(404, "unknown_domain", try client.post("/other/api/v1/timeseries", good))
        check(404, "not_found", try client.post("/demo/api/v1/timeserie", good))
        check(404, "not_found", try client.post("/", good))
        check(400, "bad_parameter", try client.post(Station.call("overwrite=replace"), good))
        check(400, "bad_parameter", try client.post(Station.call("overwrit=replace_window"), good))
        check(400, "malformed_json", try client.post(Station.call(), "[{"))
        check(
            422, "timestamp_out_of_bounds",
            try client.post(Station.call(), element([#"{"v": 1, "ts": "1970-01-01T00:00:00Z"}"#])))
        check(
            422, "window_too_long",
            try client.post(
                Station.call("overwrite=replace_window"),
                element([item(0, 1), #"{"v": 1, "ts": "2021-01-01T00:00:00Z"}"#])))
        check(413, "too_large", try client.post(Station.call(), element((0..<100).map { item($0, 1) })))
        check(
            415, "unsupported_media_type", try client.post(Station.call(), good, headers: "Content-Encoding: br\r\n"))
        check(414, "uri_too_long", try client.get(Station.call("tag=" + String(repeating: "a", count: 9000))))

        try client.socket.send("PUT \(Station.call()) HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n[]".utf8)
        let put = try client.response()
        check(405, "method_not_allowed", put)
        #expect(put.headers["allow"] == "GET, POST")
        try client.socket.send(
            "POST \(Station.call()) HTTP/1.1\r\nHost: a\r\nAuthorization: Key demo-secret\r\nContent-Type: text/csv\r\nContent-Length: 2\r\n\r\n[]"
                .utf8)
        check(415, "unsupported_media_type", try client.response())
        for authorization in ["", "Authorization: Key wrong\r\n", "Authorization: Bearer demo-secret\r\n"] {
            try client.socket.send(
                "POST \(Station.call()) HTTP/1.1\r\nHost: a\r\n\(authorization)Content-Length: 2\r\n\r\n[]".utf8)
            let response = try client.response()
            check(401, "unauthorized", response)
            #expect(response.headers["www-authenticate"] == "Key realm=\"demo\"")
        }
        // All on one connection, and it goes on.
        #expect(try client.post(Station.call("silent=true"), good).status == 204)
        #expect(try station.count() == 1)
    }

    @Test(
        "with unknown_nodes: reject an unknown node is 404, nothing of the request is stored, and no dead letter is left"
    )
    func unknownNode() throws {
        let station = try Station(domain: "    unknown_nodes: reject")
        try station.daemon.startAndWait()
        let client = try station.client()
        let database = try Connection(station.database, applicationName: "windrow tests")
        try database.execute("INSERT INTO windrow.node (id) VALUES (1)")
        let body = """
            [{"node_id": 1, "tag": "t", "data": [\(item(0, 1))]}, {"node_id": 2, "tag": "t", "data": [\(item(0, 1))]}]
            """
        let response = try client.post(Station.call(), body)
        #expect(response.status == 404)
        #expect(response.json["type"] as? String == "urn:windrow:problem:unknown_node")
        #expect(response.json["pointer"] as? String == "/1/node_id")
        // It is gone before the sender is told, and not only when the journal is trimmed.
        #expect(try station.journaledBatches() == 0)
        #expect(try client.post(Station.call("silent=true"), element([item(1, 1)])).status == 204)
        // Not even a replay finds it, once the node is there.
        try station.daemon.kill()
        try database.execute("INSERT INTO windrow.node (id) VALUES (2)")
        try station.daemon.startAndWait()
        #expect(try station.stored() == [time(1): 1])
        #expect(try station.stored(node: 2).isEmpty)
        try station.daemon.stop()
        #expect(try station.deadLetters().isEmpty)
    }

    @Test(
        "points that PostgreSQL refuses are 422 for their own sender alone, kept as dead letters, and the others are stored"
    )
    func refusedByDatabase() throws {
        let station = try Station(domain: "    lanes: 1")
        try station.daemon.startAndWait()
        let client = try station.client()
        #expect(try client.post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
        let blocker = try Connection(station.database, applicationName: "windrow tests")
        try blocker.script("ALTER TABLE windrow.point ADD CHECK (v < 100); BEGIN; LOCK windrow.point IN EXCLUSIVE MODE")
        // A flush under way takes the first; the two others share the next.
        let clients = try (0..<3).map { _ in try station.client() }
        for (place, client) in clients.enumerated() {
            try client.send(
                Station.call("silent=true"),
                Array(element([item(10 + place, 1), item(20 + place, place == 1 ? 100 : 2)]).utf8))
            try waitUntil("it is accepted") { try station.daemon.metric("windrow_records_total") == Double(place + 2) }
        }
        try blocker.script("COMMIT")
        let responses = try clients.map { try $0.response() }
        #expect(responses.map(\.status) == [204, 422, 204])
        #expect(responses[1].json["type"] as? String == "urn:windrow:problem:refused_by_database")
        #expect(try station.count() == 6)
        #expect(try station.deadLetters().map(\.reason) == ["refused_by_database"])
        try station.checkAccounting()
    }

    @Test("MQTT messages and HTTP requests on one series take effect in the order in which they were acknowledged")
    func interleaved() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        var generator = SystemRandomNumberGenerator()
        var expected: [Int64: Double] = [:]
        var story: [String] = []
        for step in 0..<120 {
            let first = Int.random(in: 0..<20, using: &generator)
            let seconds = Array(first...(first + Int.random(in: 0..<4, using: &generator)))
            let mode = ["insert", "update_window", "replace_window"].randomElement(using: &generator)!
            let points = seconds.filter { _ in Bool.random(using: &generator) }.isEmpty ? [first] : seconds
            let items = points.map { item($0, Double(step)) }
            let overHTTP = Bool.random(using: &generator)
            story.append("\(overHTTP ? "HTTP" : "MQTT") \(mode) \(points) = \(step)")
            if overHTTP {
                #expect(try client.post(Station.call("silent=true&overwrite=\(mode)"), element(items)).status == 204)
            } else {
                // Returns when the broker has it; a request may then still overtake it on its way to the daemon.
                try station.publisher.publish(
                    #"{"data": [\#(items.joined(separator: ","))], "overwrite": "\#(mode)"}"#, on: "\(station.root)/1/t"
                )
                try waitUntil("the message is accepted") {
                    try station.daemon.metric("windrow_records_total") == Double(step + 1)
                }
            }
            if mode == "replace_window" {
                for second in points[0]...points[points.count - 1] { expected[time(Int64(second))] = nil }
            }
            for second in points where mode != "insert" || expected[time(Int64(second))] == nil {
                expected[time(Int64(second))] = Double(step)
            }
        }
        try waitUntil("all is stored") { try station.daemon.metric("windrow_points_pending") == 0 }
        #expect(try station.stored() == expected, "\(story.joined(separator: "\n"))")
        try station.checkAccounting()
    }
}
