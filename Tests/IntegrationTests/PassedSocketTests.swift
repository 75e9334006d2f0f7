import Foundation
import Synchronization
import Testing
import WindrowTestSupport

/// What `windrow.socket` is for: the service manager listens, and the daemon takes its socket over.
@Suite struct PassedSocketTests {
    @Test("while the daemon restarts, clients wait on the service manager's socket: none is refused, and all is stored")
    func restart() throws {
        let station = try Station()
        let socket = try ListeningSocket()
        try station.daemon.start(socket: socket)
        try station.daemon.waitUntilReady()
        #expect(
            station.daemon.log.contains(
                "the service manager listens elsewhere than http.listen says; its socket is used "
                    + "address=127.0.0.1:\(socket.port) http.listen=127.0.0.1:\(station.daemon.httpPort)"))
        #expect(
            station.daemon.log.contains("listening on the service manager's socket address=127.0.0.1:\(socket.port)"))
        #expect(throws: FixtureError.self) { try station.client() }
        // The queue's length is not cut: Send-Q, of a socket that listens (ss(8)).
        let listening = try Command.require("ss", ["-Hltn", "sport", "=", ":\(socket.port)"])
        #expect(try #require(Int(listening.split(separator: " ")[2])) > 1024)

        let tally = Tally()
        let clients = Clients(
            (0..<4).map { client in
                {
                    var answered = 0
                    while !tally.isOver {
                        // Throws when it is refused.
                        let connection = try HTTPConnection(port: socket.port)
                        // No answer means: send it again.
                        let body = element([item(answered, 1)], tag: "c\(client)")
                        guard let answer = try? connection.post(Station.call("silent=true"), body) else { continue }
                        guard answer.status == 204 else { throw FixtureError("\(answer.status): \(answer.text)") }
                        answered += 1
                        tally.count { $0.answered[client] = answered }
                    }
                }
            })
        for _ in 0..<2 {
            try waitUntil("requests are answered") { tally.progress(since: 20) }
            try station.daemon.stop()
            try waitUntil("clients wait for the next one") { clients.isFinished || socket.isWaited }
            try station.daemon.start(socket: socket)
        }
        try waitUntil("requests are answered") { tally.progress(since: 20) }
        tally.end()
        try clients.wait()
        try station.daemon.waitUntilReady()
        for (client, answered) in tally.answered {
            #expect(try station.stored(tag: "c\(client)").count >= answered)
        }
        #expect(try station.daemon.stop() == 0)
    }

    @Test("a Unix socket of the service manager is taken over too, and stays when the daemon stops")
    func unixSocket() throws {
        let folder = try TemporaryFolder("wr")
        let path = folder.path + "/http.sock"
        let station = try Station()
        let text = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "listen: 127.0.0.1:\(station.daemon.httpPort)", with: "listen: unix:\(path)")
            .write(toFile: station.daemon.configuration, atomically: true, encoding: .utf8)
        let socket = try ListeningSocket(path: path)
        for _ in 0..<2 {
            try station.daemon.start(socket: socket)
            try station.daemon.waitUntilReady()
            let answer = try Command.require(
                "curl",
                [
                    "--silent", "--unix-socket", path, "-H", "Authorization: Key \(TestKey.secret)",
                    "http://localhost\(Station.call("node_id=1"))", "--write-out", "%{http_code}", "--output",
                    "/dev/null",
                ])
            #expect(answer == "404")
            #expect(try station.daemon.stop() == 0)
            #expect(FileManager.default.fileExists(atPath: path))
        }
        #expect(!station.daemon.log.contains("elsewhere"))
    }

    @Test("a socket that does not listen is an error that says what to do")
    func wrongSocket() throws {
        let station = try Station()
        try station.daemon.start(socket: ListeningSocket(name: "windrow.socket", listens: false))
        #expect(try station.daemon.waitForExit() == 78)
        #expect(
            station.daemon.log.contains(
                "http.listen: cannot listen on the socket that the service manager passes (windrow.socket): it is no stream "
                    + "socket that listens; use ListenStream= and Accept=no in windrow.socket"))
    }

    @Test("a socket that no domain takes requests on is told, since whoever connects waits in vain")
    func unused() throws {
        let daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: host=127.0.0.1 port=1
                    mqtt: [{broker: "mqtt://127.0.0.1:1", client_id: c, subscriptions: [{topic: "n/{node}/{tag}"}]}]
                """)
        try daemon.start(socket: ListeningSocket())
        try waitUntil("the daemon runs") { try daemon.get("/healthz").status == 200 }
        try daemon.waitUntilLogged("whoever connects waits in vain")
        #expect(try daemon.stop() == 0)
    }
}

/// What the clients have seen.
private final class Tally: Sendable {
    struct Counts {
        /// Requests of each client that were answered.
        var answered: [Int: Int] = [:]
        var isOver = false
        var last = 0
    }

    private let counts = Mutex(Counts())

    func count(_ change: (inout Counts) -> Void) { counts.withLock { change(&$0) } }
    func end() { counts.withLock { $0.isOver = true } }
    var isOver: Bool { counts.withLock { $0.isOver } }
    var answered: [Int: Int] { counts.withLock { $0.answered } }

    /// Whether each of the clients has got answers to so many more requests than the last time that this was so.
    func progress(since more: Int) -> Bool {
        counts.withLock { counts in
            let least = counts.answered.count == 4 ? counts.answered.values.min() ?? 0 : 0
            guard least >= counts.last + more else { return false }
            counts.last = counts.answered.values.max() ?? 0
            return true
        }
    }
}
