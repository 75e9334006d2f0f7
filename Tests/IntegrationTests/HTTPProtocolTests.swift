import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// The lines between well-behaved and other clients.
@Suite struct HTTPProtocolTests {
    private let authorization = "Authorization: Key demo-secret\r\n"

    private func gzip(_ bytes: some Sequence<UInt8>) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        try Data(bytes).write(to: URL(fileURLWithPath: folder.path + "/body"))
        try Command.require("gzip", [folder.path + "/body"])
        return Array(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/body.gz")))
    }

    @Test("pipelined requests are answered in their order, and each takes effect once")
    func pipelining() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        var bytes: [UInt8] = []
        for step in 0..<30 {
            let body = step == 10 ? "[{" : element([item(0, Double(step))])
            bytes +=
                Array(
                    HTTPConnection.head(
                        Station.call("silent=true&overwrite=update_window"), length: body.utf8.count, authorization
                    )
                    .utf8) + body.utf8
        }
        try client.socket.send(bytes)
        for step in 0..<30 { #expect(try client.response().status == (step == 10 ? 400 : 204)) }
        #expect(try station.stored() == [time(0): 29])
    }

    @Test("a sender that expects 100-continue gets it when its body is wanted, and else the refusal instead")
    func expectContinue() throws {
        let station = try Station(http: "  max_body: 1KiB")
        try station.daemon.startAndWait()
        let body = element([item(0, 1)])
        let expecting = "Expect: 100-continue\r\n"
        let client = try station.client()
        try client.socket.send(
            HTTPConnection.head(Station.call("silent=true"), length: body.utf8.count, authorization + expecting).utf8)
        #expect(try client.response().status == 100)
        try client.socket.send(body.utf8)
        #expect(try client.response().status == 204)
        let tooLarge = try station.client()
        try tooLarge.socket.send(HTTPConnection.head(Station.call(), length: 2000, authorization + expecting).utf8)
        #expect(try tooLarge.response().status == 413)
        let stranger = try station.client()
        try stranger.socket.send(HTTPConnection.head(Station.call(), length: 100, expecting).utf8)
        #expect(try stranger.response().status == 401)
    }

    @Test("gzip is inflated, and bounded by what comes out of it")
    func gzipBodies() throws {
        let station = try Station(http: "  max_body: 1MiB")
        try station.daemon.startAndWait()
        let client = try station.client()
        let header = "Content-Encoding: gzip\r\n"
        let body = try gzip(element((0..<1000).map { item($0, 1) }).utf8)
        #expect(try client.post(Station.call("silent=true"), body, headers: header).status == 204)
        #expect(try station.count() == 1000)
        // 100 MiB of blanks in 100 KiB.
        let bomb = try gzip([UInt8](repeating: UInt8(ascii: " "), count: 100 << 20))
        let before = station.daemon.residentMemory
        #expect(try client.post(Station.call(), bomb, headers: header).status == 413)
        #expect(Sanitizer.isOn || station.daemon.residentMemory - before < 16 << 20)
        let garbage = try client.post(Station.call(), "[]", headers: header)
        #expect(garbage.status == 400)
        #expect(garbage.json["type"] as? String == "urn:windrow:problem:bad_body")
    }

    @Test("chunked bodies are put together, and bounded")
    func chunked() throws {
        let station = try Station(http: "  max_body: 1KiB")
        try station.daemon.startAndWait()
        let client = try station.client()
        let head =
            "POST \(Station.call("silent=true")) HTTP/1.1\r\nHost: a\r\n\(authorization)Transfer-Encoding: chunked\r\n\r\n"
        try client.socket.send(head.utf8)
        for byte in element([item(0, 1)]).utf8 {
            try client.socket.send(Array("1\r\n".utf8) + [byte] + Array("\r\n".utf8))
        }
        try client.socket.send("0\r\nTrailer: x\r\n\r\n".utf8)
        #expect(try client.response().status == 204)
        try client.socket.send(head.utf8)
        try client.socket.send("500\r\n\(String(repeating: " ", count: 0x500))\r\n0\r\n\r\n".utf8)
        #expect(try client.response().status == 413)
        #expect(try client.post(Station.call("silent=true"), element([item(1, 1)])).status == 204)
        #expect(try station.count() == 2)
    }

    /// Each holds a second request that must never be understood as one, or is malformed in another way.
    static let smuggled: [String] = {
        let inner =
            "POST \(Station.call()) HTTP/1.1\r\nHost: a\r\nAuthorization: Key demo-secret\r\nContent-Length: 63\r\n\r\n"
            + element([item(9, 9)])
        func outer(_ headers: String, _ body: String = "") -> String {
            "POST \(Station.call()) HTTP/1.1\r\nHost: a\r\nAuthorization: Key demo-secret\r\n\(headers)\r\n\r\n\(body)"
        }
        return [
            outer("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n\(inner)"),
            outer("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n\(inner)"),
            outer("Content-Length: 0\r\nContent-Length: \(inner.utf8.count)", inner),
            outer("Content-Length: 0, \(inner.utf8.count)", inner),
            outer("Transfer-Encoding: xchunked", inner),
            outer("Transfer-Encoding: identity, chunked, x", inner),
            outer("Transfer-Encoding : chunked\r\nContent-Length: 0", inner),
            outer("Content-Length: -1", inner),
            outer("Content-Length: +0", inner),
            outer("Content-Length: 99999999999999999999", inner),
            outer("Transfer-Encoding: chunked", "-1\r\n\(inner)"),
            outer("Transfer-Encoding: chunked", "zz\r\n\(inner)"),
            outer("X: a\r\n folded\r\nContent-Length : 0", inner),
            outer("Transfer-Encoding: gzip, chunked", "0\r\n\r\n\(inner)"),
            outer("Transfer-Encoding: identity, chunked", "0\r\n\r\n\(inner)"),
            outer("Host: b\r\nContent-Length: 0", inner),
            "POST \(Station.call()) HTTP/1.1\r\nContent-Length: 0\r\n\r\n\(inner)",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n\(inner)",
            "\(String(repeating: "X", count: 100)) / HTTP/1.1\r\n\r\n\(inner)",
            "GET / HTTP/9.9\r\n\r\n\(inner)",
            "not http at all\r\n\r\n\(inner)",
        ]
    }()

    @Test("what could be understood in two ways is refused, and nothing behind it is understood at all")
    func smuggling() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        for text in Self.smuggled {
            let socket = try LoopbackSocket(port: station.daemon.httpPort)
            try socket.send(text.utf8)
            socket.closeWrite()
            let answer = String(decoding: try socket.receiveAll(), as: UTF8.self)
            let answers = answer.components(separatedBy: "HTTP/1.1 ").dropFirst()
            #expect(
                answers.count <= 1 && answers.allSatisfy { $0.hasPrefix("4") || $0.hasPrefix("5") },
                "\(text)\n→ \(answer)")
        }
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
        #expect(try station.stored() == [time(0): 1])
    }

    @Test("heads that are too large or malformed are answered with a problem, and the connection is closed")
    func heads() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let bad: [(String, Int)] = [
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n", 431),
            ("GET / HTTP/1.1\r\n\((0..<200).map { "X\($0): a\r\n" }.joined())\r\n", 431),
            ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ("nonsense\r\n\r\n", 400),
        ]
        for (text, status) in bad {
            let client = try HTTPConnection(port: station.daemon.httpPort)
            try client.socket.send(text.utf8)
            let response = try client.response()
            #expect(response.status == status)
            #expect(response.headers["content-type"] == "application/problem+json")
            #expect(response.json["status"] as? Int == status)
            if status != 414 { #expect(try client.socket.receiveAll().isEmpty) }
        }
    }

    @Test(
        "HTTP/1.0 clients get what they understand: no chunks, no 100, and the end of the connection unless they ask for more"
    )
    func http10() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let body = element([item(0, 1)])
        let socket = try LoopbackSocket(port: station.daemon.httpPort)
        try socket.send(
            "POST \(Station.call()) HTTP/1.0\r\n\(authorization)Expect: 100-continue\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                .utf8)
        let written = String(decoding: try socket.receiveAll(), as: UTF8.self)
        #expect(written.hasPrefix("HTTP/1.0 200 OK\r\n"))
        let reader = try LoopbackSocket(port: station.daemon.httpPort)
        try reader.send("GET \(Station.call("node_id=1")) HTTP/1.0\r\n\(authorization)\r\n".utf8)
        let read = String(decoding: try reader.receiveAll(), as: UTF8.self)
        #expect(!read.lowercased().contains("transfer-encoding"))
        #expect(
            read.hasSuffix(
                "\r\n\r\n{\"timeseries\":[{\"node_id\":1,\"tag\":\"t\",\"data\":[{\"v\":1.0,\"ts\":\"\(stamp(0))\"}]}]}"
            ))
        let kept = try HTTPConnection(port: station.daemon.httpPort)
        for _ in 0..<2 {
            try kept.socket.send(
                "POST \(Station.call("silent=true")) HTTP/1.0\r\nConnection: keep-alive\r\n\(authorization)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    .utf8)
            #expect(try kept.response().status == 204)
        }
    }

    @Test("an offer to upgrade is not taken up, and the connection ends with the answer instead of falling silent")
    func upgrade() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        let body = element([item(0, 1)])
        let response = try client.post(
            Station.call("silent=true"), body,
            headers: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")
        #expect(response.status == 204)
        #expect(response.headers["connection"] == "close")
        #expect(try client.socket.receiveAll().isEmpty)
        #expect(try station.stored() == [time(0): 1])
    }

    @Test(
        "who is refused before its body has come may go on with the connection, or reads the refusal of one that ends",
        arguments: [false, true])
    func early(_ closes: Bool) throws {
        let station = try Station(http: "  max_body: 1MiB")
        try station.daemon.startAndWait()
        let client = try HTTPConnection(port: station.daemon.httpPort)
        let body = [UInt8](repeating: UInt8(ascii: " "), count: 5 << 20)
        // No key, and more than is taken; much of it is on its way when the refusal comes.
        try client.socket.send(
            HTTPConnection.head(Station.call(), length: body.count, closes ? "Connection: close\r\n" : "").utf8)
        try client.socket.send(body[..<1_000_000])
        let response = try client.response()
        #expect(response.status == 401)
        #expect(response.headers["connection"] == (closes ? "close" : nil))
        try client.socket.send(body[1_000_000...])
        if closes {
            #expect(try client.socket.receiveAll().isEmpty)
        } else {
            // Past the moments that are left to the rest of a refused request.
            try waitUntil("six seconds have passed", timeout: .seconds(10), isTrue: isLater(than: .now + .seconds(6)))
            #expect(try client.post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
        }
    }

    private func isLater(than moment: ContinuousClock.Instant) -> () -> Bool { { ContinuousClock.now > moment } }

    @Test("what is malformed behind good requests is answered behind them")
    func malformedBehind() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        let body = element([item(0, 1)])
        try client.socket.send(
            Array(HTTPConnection.head(Station.call("silent=true"), length: body.utf8.count, authorization).utf8)
                + body.utf8
                + Array("nonsense\r\n\r\n".utf8))
        #expect(try client.response().status == 204)
        let problem = try client.response()
        #expect(problem.status == 400)
        #expect(problem.json["type"] as? String == "urn:windrow:problem:malformed_request")
        #expect(try client.socket.receiveAll().isEmpty)
        // In the middle of a body it is the request itself, answered once.
        let chunked = try station.client()
        try chunked.socket.send(
            "POST \(Station.call()) HTTP/1.1\r\nHost: a\r\n\(authorization)Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\nzz\r\n"
                .utf8)
        #expect(try chunked.response().status == 400)
        #expect(try chunked.socket.receiveAll().isEmpty)
    }

    @Test("a connection is not idle while an answer is waited for, even if the next request has begun")
    func waiting() throws {
        let station = try Station(http: "  idle_timeout: 1s\n  request_timeout: 2s\n  commit_timeout: 3s")
        try station.daemon.startAndWait()
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 0)])).status == 204)
        let blocker = try Connection(station.database, applicationName: "windrow tests")
        try blocker.script("BEGIN; LOCK windrow.point IN EXCLUSIVE MODE")
        let client = try station.client()
        let second = element([item(2, 2)])
        try client.send(Station.call("silent=true"), Array(element([item(1, 1)]).utf8))
        try client.socket.send(
            HTTPConnection.head(Station.call("silent=true"), length: second.utf8.count, authorization).utf8)
        #expect(try client.response().status == 202)
        try blocker.script("COMMIT")
        try client.socket.send(second.utf8)
        #expect(try client.response().status == 204)
        // Now it is.
        #expect(try client.socket.receiveAll().isEmpty)
    }

    @Test("HEAD is answered without a body")
    func head() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let socket = try LoopbackSocket(port: station.daemon.httpPort)
        try socket.send(
            "HEAD \(Station.call()) HTTP/1.1\r\nHost: a\r\n\r\nHEAD /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                .utf8)
        let answers = String(decoding: try socket.receiveAll(), as: UTF8.self).components(separatedBy: "\r\n\r\n")
        #expect(answers.count == 3)
        #expect(answers[0].hasPrefix("HTTP/1.1 405 ") && answers[1].hasPrefix("HTTP/1.1 200 ") && answers[2].isEmpty)
    }

    @Test("half a connection is enough: who has sent its request and closed its side gets its answer")
    func halfClosed() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        try client.send(Station.call("silent=true"), Array(element([item(0, 1)]).utf8))
        client.socket.closeWrite()
        #expect(try client.response().status == 204)
    }

    @Test("slow clients are cut off: in the head, in the body, drop by drop or with nothing at all")
    func slow() throws {
        let station = try Station(http: "  request_timeout: 1s\n  idle_timeout: 1s")
        try station.daemon.startAndWait()
        let head = HTTPConnection.head(Station.call(), length: 10_000, authorization)
        try Clients(
            ["", "POST / HT", "head drips", "body", "body drips"].map { kind in
                { [port = station.daemon.httpPort] in
                    let start = ContinuousClock.now
                    let answer = try Self.answer(toSlow: kind, head, HTTPConnection(port: port))
                    // A head that never comes is nobody's request.
                    let isRight = kind.hasPrefix("body") ? answer.hasPrefix("HTTP/1.1 408 ") : answer.isEmpty
                    guard isRight, .now - start < .seconds(10) else {
                        throw FixtureError("\(kind) was answered \(answer) after \(ContinuousClock.now - start)")
                    }
                }
            }
        ).wait()
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
    }

    /// All that a client gets that does not go on with its request.
    private static func answer(toSlow kind: String, _ head: String, _ client: HTTPConnection) throws -> String {
        let start = ContinuousClock.now
        switch kind {
        case "head drips", "body drips":
            let text = Array((kind == "head drips" ? head : head + String(repeating: " ", count: 9000)).utf8)
            let atOnce = kind == "head drips" ? 10 : head.utf8.count
            try client.socket.send(text[..<atOnce])
            // Until it is cut off; the drops come well within every timeout.
            var place = atOnce
            while place < text.count, (try? client.socket.send(text[place...place])) != nil {
                usleep(100_000)
                place += 1
                if .now - start > .seconds(20) { break }
            }
        case "body": try client.socket.send(head.utf8)
        default: try client.socket.send(kind.utf8)
        }
        return String(decoding: try client.socket.receiveAll(), as: UTF8.self)
    }

    @Test("more requests at once than max_requests are 429, and their place is free again when the first are done")
    func tooMany() throws {
        let station = try Station(http: "  max_requests: 3")
        try station.daemon.startAndWait()
        let body = element([item(0, 1)])
        let slow = try (0..<3).map { _ in try station.client() }
        for client in slow {
            try client.socket.send(
                HTTPConnection.head(
                    Station.call("silent=true"), length: body.utf8.count, authorization + "Expect: 100-continue\r\n"
                ).utf8)
            #expect(try client.response().status == 100)
        }
        let refused = try station.client().post(Station.call(), body)
        #expect(refused.status == 429)
        #expect(refused.headers["retry-after"] == "1")
        // Who has no key takes no place.
        #expect(
            try HTTPConnection(port: station.daemon.httpPort, secret: "wrong").post(Station.call(), body).status == 401)
        for client in slow { try client.socket.send(body.utf8) }
        for client in slow { #expect(try client.response().status == 204) }
        #expect(try station.client().post(Station.call("silent=true"), body).status == 204)
    }

    @Test("bodies that wait for their rest take bounded memory together")
    func bodiesTogether() throws {
        let station = try Station(http: "  max_body: 1MiB")
        try station.daemon.startAndWait()
        // Four of the largest may be there at once; the fifth may not grow.
        let piece = String(repeating: " ", count: 1_000_000)
        let slow = try (0..<4).map { _ in try station.client() }
        for client in slow {
            try client.socket.send(
                HTTPConnection.head(Station.call(), length: 1_048_000, authorization + "Expect: 100-continue\r\n").utf8)
            #expect(try client.response().status == 100)
            try client.socket.send(piece.utf8)
        }
        // Whoever comes last is refused: that must not be one of these four.
        try waitUntil("the pieces are read") { try station.unreadBytes() == 0 }
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
        try waitUntil("there is no memory left for another") {
            try station.client().post(Station.call(), "\(piece)[]").status == 429
        }
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
    }

    @Test("10,000 idle connections cost little and keep nobody out")
    func idleConnections() throws {
        let station = try Station(http: "  max_connections: 12000")
        try station.daemon.startAndWait()
        #expect(try station.client().post(Station.call("silent=true"), element([item(0, 1)])).status == 204)
        let before = station.daemon.residentMemory
        // A process of its own holds them: its descriptors are not ours.
        let folder = try TemporaryFolder()
        let crowd = try ChildProcess(
            "python3",
            [
                "-c",
                """
                import resource, socket, sys, time
                resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
                held = [socket.create_connection(("127.0.0.1", \(station.daemon.httpPort))) for _ in range(10000)]
                print("connected", flush=True)
                time.sleep(600)
                """,
            ], output: folder.path + "/out", errors: folder.path + "/err")
        defer { withExtendedLifetime(crowd) {} }
        try waitUntil("they are connected", timeout: .seconds(60)) {
            try String(contentsOfFile: folder.path + "/out", encoding: .utf8).contains("connected")
        }
        for second in 1...20 {
            #expect(try station.client().post(Station.call("silent=true"), element([item(second, 1)])).status == 204)
        }
        let each = (station.daemon.residentMemory - before) / 10_000
        #expect(Sanitizer.isOn || each < 24 << 10, "\(each) bytes a connection")
    }
}
