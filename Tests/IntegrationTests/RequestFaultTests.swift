import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// What goes wrong between a client and PostgreSQL.
@Suite struct RequestFaultTests {
    @Test("with PostgreSQL away a request is 202 in time, and its points are there when PostgreSQL is back")
    func accepted() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox, http: "  commit_timeout: 300ms")
        try station.daemon.startAndWait()
        let client = try station.client()
        #expect(try client.post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        try sandbox.stop(.postgres, kill: true)
        var expected = [time(0): 0.0]
        for second in 1...20 {
            let start = ContinuousClock.now
            let response = try client.post(
                Station.call(second % 2 == 0 ? "silent=true" : ""), element([item(second, 1)]))
            #expect(response.status == 202)
            #expect(response.body.isEmpty == (second % 2 == 0))
            #expect(.now - start < .seconds(5))
            expected[time(Int64(second))] = 1
        }
        // An outage is the sender's business only as far as its request goes: bad ones are still told.
        #expect(try client.post(Station.call(), "[]").status == 400)
        try sandbox.start(.postgres)
        try station.waitUntilStored(expected)
        try waitUntil("requests are committed again") {
            try client.post(Station.call("silent=true"), element([item(0, 0)])).status == 204
        }
        try station.checkAccounting()
    }

    @Test("PostgreSQL killed between request and commit: what was answered 204 was there, what was answered 202 comes")
    func killedBetween() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox, http: "  commit_timeout: 1s", domain: "    lanes: 2")
        try station.daemon.startAndWait()
        let blocker = try Connection(station.database, applicationName: "windrow tests")
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        // Its flush stands still in the middle of the transaction when the server dies.
        try blocker.script("BEGIN; LOCK windrow.point IN EXCLUSIVE MODE")
        let client = try station.client()
        try client.send(Station.call("silent=true"), Array(element([item(1, 1)]).utf8))
        try waitUntil("it is accepted") { try station.daemon.metric("windrow_records_total") == 2 }
        try sandbox.stop(.postgres, kill: true)
        #expect(try client.response().status == 202)
        try sandbox.start(.postgres)
        try station.waitUntilStored([time(0): 0, time(1): 1])
    }

    @Test(
        "when the journal is full a request is 503 with Retry-After, and everything answered before is stored in the end"
    )
    func full() throws {
        let sandbox = try Sandbox()
        let station = try Station(
            sandbox: sandbox, http: "  commit_timeout: 1ms", more: "  max_size: 1MiB")
        try station.daemon.startAndWait()
        let client = try station.client()
        #expect(try client.post(Station.call("silent=true"), element([item(0, 0)])).status == 202)
        try station.waitUntilStored([time(0): 0])
        try sandbox.stop(.postgres)
        var accepted = 0
        var refused: HTTPConnection.Response?
        while refused == nil, accepted < 1000 {
            let response = try client.post(
                Station.call("silent=true"), element((0..<400).map { item($0, 1) }, tag: "t\(accepted)"))
            if response.status == 202 { accepted += 1 } else { refused = response }
        }
        #expect(refused?.status == 503)
        #expect((refused?.headers["retry-after"]).flatMap { Int($0) } ?? 0 > 0)
        #expect(refused?.json["type"] as? String == "urn:windrow:problem:unavailable")
        try sandbox.start(.postgres)
        try waitUntil("all is stored") { try station.daemon.metric("windrow_points_pending") == 0 }
        #expect(try station.count() == 1 + accepted * 400)
        try waitUntil("there is room again") {
            try client.post(Station.call("silent=true"), element([item(0, 0)])).status < 300
        }
        try station.checkAccounting()
    }

    @Test("killed in the middle of many requests, the daemon has all that it acknowledged")
    func sigkill() throws {
        let station = try Station(http: "  commit_timeout: 20ms")
        try station.daemon.startAndWait()
        var expected: [Int64: Double] = [:]
        var next = 0
        for _ in 0..<5 {
            let clients = try (0..<8).map { _ in try station.client() }
            for step in (0..<Int.random(in: 6..<25)).reversed() {
                for (place, client) in clients.enumerated() {
                    try client.send(
                        Station.call("silent=true"), Array(element([item(next + place, Double(next))]).utf8))
                }
                if step == 0 { try station.daemon.kill() }
                for (place, client) in clients.enumerated() {
                    // No answer: nothing is promised.
                    guard let response = try? client.response() else { continue }
                    #expect(response.status == 204 || response.status == 202)
                    expected[time(Int64(next + place))] = Double(next)
                }
                next += clients.count
            }
            try station.daemon.startAndWait()
        }
        try waitUntil("all is stored") { try station.daemon.metric("windrow_points_pending") == 0 }
        let stored = try station.stored()
        #expect(stored.merging(expected) { $1 } == stored)
        try station.checkAccounting()
    }

    @Test(
        "stopped, the daemon still answers what is under way, and lets neither a slow sender nor a slow reader hold it up"
    )
    func stop() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        let database = try Connection(station.database, applicationName: "windrow tests")
        try database.execute(
            """
            INSERT INTO windrow.point SELECT 1, '2023-02-01T12:00:00Z'::timestamptz + n * interval '1 second', n
            FROM generate_series(1, 500000) n
            """)
        let sender = try station.client()
        try sender.socket.send(
            HTTPConnection.head(Station.call(), length: 1000, "Authorization: Key demo-secret\r\n").utf8)
        let reader = try station.client()
        try reader.socket.send(
            "GET \(Station.call("node_id=1&tag=t")) HTTP/1.1\r\nHost: a\r\nAuthorization: Key demo-secret\r\n\r\n".utf8)
        _ = try reader.socket.receive(1000)
        let idle = try station.client()
        // Waits for a lock when the daemon is told to stop.
        try database.script("BEGIN; LOCK windrow.point IN EXCLUSIVE MODE")
        let waiting = try station.client()
        try waiting.send(Station.call("silent=true"), Array(element([item(1, 1)]).utf8))
        try waitUntil("it is accepted") { try station.daemon.metric("windrow_records_total") == 2 }
        station.daemon.signal(SIGTERM)
        #expect(try waiting.response().status == 202)
        try database.script("COMMIT")
        #expect(try idle.socket.receiveAll().isEmpty)
        let start = ContinuousClock.now
        #expect(try station.daemon.waitForExit(timeout: .seconds(30)) == 0)
        #expect(.now - start < .seconds(20))
        try station.waitUntilStored(station.stored().merging([time(1): 1]) { $1 })
    }

    @Test(
        "stopped while a lock or a stopped server holds PostgreSQL up, the daemon ends in time, and the rest is written after a start"
    )
    func stopWhileHeldUp() throws {
        let (locked, stalled) = (
            try Station(http: "  commit_timeout: 500ms"), try Station(http: "  commit_timeout: 500ms")
        )
        for station in [locked, stalled] {
            try station.daemon.startAndWait()
            #expect(try station.client().post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        }
        let lock = try Connection(locked.database, applicationName: "windrow tests")
        try lock.script("BEGIN; LOCK windrow.point IN ACCESS EXCLUSIVE MODE")
        let rows = try Connection(stalled.database, applicationName: "windrow tests").execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'windrow lane%' AND datname = current_database()"
        )
        var stopped = try (0..<rows.count).map { try rows.int32($0, 0) }
        // Whatever happens, no server of the other tests stays stopped.
        defer { for pid in stopped { kill(pid, SIGCONT) } }
        for pid in stopped { kill(pid, SIGSTOP) }
        for station in [locked, stalled] {
            #expect(try station.client().post(Station.call("silent=true"), element([item(1, 1)])).status == 202)
        }
        for station in [locked, stalled] { station.daemon.signal(SIGTERM) }
        for station in [locked, stalled] { #expect(try station.daemon.waitForExit(timeout: .seconds(25)) == 0) }
        for pid in stopped { kill(pid, SIGCONT) }
        stopped = []
        try lock.script("COMMIT")
        for station in [locked, stalled] {
            try station.daemon.startAndWait()
            try station.waitUntilStored([time(0): 0, time(1): 1])
        }
    }

    @Test("a client that disappears in mid-body leaves nothing behind", arguments: ["length", "chunked", "gzip"])
    func disappearing(_ kind: String) throws {
        let station = try Station()
        try station.daemon.startAndWait()
        // What has come is a whole request by itself; more was announced.
        let body = element([item(0, 1)])
        let authorization = "Authorization: Key demo-secret\r\n"
        for ending in ["shutdown", "close"] {
            let client = try station.client()
            switch kind {
            case "length":
                try client.socket.send(
                    Array(HTTPConnection.head(Station.call(), length: body.utf8.count + 10, authorization).utf8)
                        + body.utf8)
            case "chunked":
                try client.socket.send(
                    "POST \(Station.call()) HTTP/1.1\r\nHost: a\r\n\(authorization)Transfer-Encoding: chunked\r\n\r\n"
                        .utf8)
                try client.socket.send("\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n".utf8)
            default:
                let folder = try TemporaryFolder()
                let path = try folder.write(body, to: "body")
                try Command.require("gzip", [path])
                let packed = try Data(contentsOf: URL(fileURLWithPath: path + ".gz"))
                try client.socket.send(
                    Array(
                        HTTPConnection.head(
                            Station.call(), length: packed.count - 4, authorization + "Content-Encoding: gzip\r\n"
                        ).utf8) + packed.dropLast(4))
                #expect(try client.response().status == 400)
            }
            if ending == "shutdown" {
                client.socket.closeWrite()
                if kind != "gzip", let response = try? client.response() { #expect(response.status == 400) }
            }
        }
        #expect(try station.client().post(Station.call("silent=true"), element([item(1, 1)])).status == 204)
        #expect(try station.stored() == [time(1): 1])
    }
}
