import Foundation
import Testing
import WindrowTestSupport

@Suite struct TailTests {
    /// `windrow tail`, with its output in a file.
    private struct Watcher {
        let process: ChildProcess
        let file: String

        init(_ daemon: DaemonProcess, _ arguments: [String] = []) throws {
            file = daemon.path + "/tail-\(UUID().uuidString)"
            process = try ChildProcess(
                Project.program("windrow"), ["tail", "--config", daemon.configuration] + arguments, output: file,
                errors: file)
        }

        var text: String { (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }

        func wait(for expected: String) throws {
            do { try waitUntil("it is shown") { text.contains(expected) } } catch {
                throw FixtureError("\(expected) is not shown: \(text)")
            }
        }
    }

    /// Until the daemon has a watcher.
    private func watch(_ station: Station, _ arguments: [String] = []) throws -> Watcher {
        let watcher = try Watcher(station.daemon, arguments)
        try waitUntil("it watches") {
            try Command.require(
                "ss", ["-Htn", "state", "established", "sport", "=", ":\(station.daemon.adminPort)"]
            ).contains("127.0.0.1")
        }
        return watcher
    }

    @Test("what is accepted and rejected is shown, by MQTT and HTTP, without what could steer a terminal")
    func shows() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let watcher = try watch(station)
        defer { watcher.process.signal(SIGKILL) }
        // The first ones may come before the daemon knows of the watcher.
        try waitUntil("the watcher is known") {
            try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
            return watcher.text.contains("accepted  \(station.root)/1/t  1 point  ← {\\\"v\\\": 1, ")
        }
        try station.publisher.publish("\u{1B}[2Jx", on: "\(station.root)/1/\u{202E}t")
        try watcher.wait(for: "REJECTED  \(station.root)/1/\u{FFFD}t  ")
        try watcher.wait(for: "← \\u{1b}[2Jx")
        let client = try station.client()
        _ = try client.post(
            Station.call(),
            #"[{"node_id": 5, "tag": "h", "data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T13:00:00Z"}]}]"#
        )
        try watcher.wait(for: "accepted  nodes/5/h  2 points  2023-01-01T12:00:00Z … 2023-01-01T13:00:00Z")
        _ = try client.post(
            Station.call(), #"[{"node_id": 5, "tag": "h", "data": [{"v": "a", "ts": "2023-01-01T12:00:00Z"}]}]"#)
        try watcher.wait(for: "REJECTED  POST /demo/api/v1/timeseries  bad_value:  ")
        #expect(!watcher.text.contains("\u{1B}"))
        // A watcher does not keep the daemon from stopping, and is told.
        #expect(try station.daemon.stop(timeout: .seconds(8)) == 0)
        try waitUntil("it ends") { watcher.process.exitCode() != nil }
        #expect(watcher.process.exitCode() == 69)
        #expect(watcher.text.hasSuffix("the daemon has stopped\n"))
    }

    @Test("filters and --count choose; --json prints an object a line")
    func chooses() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        // A share is watched as a whole.
        let topic = "$share/group/\(station.root)/2/{tag}"
        let watcher = try watch(station, ["--rejected", "--topic", topic, "--json", "-n", "2"])
        defer { watcher.process.signal(SIGKILL) }
        try waitUntil("it ends after two") {
            for node in [1, 2] {
                try station.publisher.publish("1", on: "\(station.root)/\(node)/t")
                try station.publisher.publish("no", on: "\(station.root)/\(node)/t")
            }
            return watcher.process.exitCode() != nil
        }
        #expect(watcher.process.exitCode() == 0)
        let lines = watcher.text.split(separator: "\n")
        #expect(lines.count == 2)
        for line in lines {
            let event = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(event["topic"] as? String == "\(station.root)/2/t")
            #expect(event["outcome"] as? String == "rejected")
            #expect(event["reason"] as? String == "malformed_json")
            #expect(event["payload"] as? String == "no")
            #expect(event["domain"] as? String == "demo")
        }
    }

    @Test("a watcher who stops reading holds nothing up, takes bounded memory, and is told what it missed")
    func slow() throws {
        let station = try Station(subscription: "            epoch: ms")
        try station.daemon.startAndWait()
        let watcher = try watch(station)
        defer { watcher.process.signal(SIGKILL) }
        try waitUntil("the watcher is known") {
            try station.publisher.publish("1", on: "\(station.root)/9/t")
            return watcher.text.contains("accepted")
        }
        watcher.process.signal(SIGSTOP)
        let count = 60_000
        let lines = (0..<count).map { #"{"v": \#($0), "ts": \#(time(Int64($0)) / 1000)}"# }
        try station.publisher.publish(lines: lines, on: "\(station.root)/1/t")
        try station.waitUntilStored(Dictionary(uniqueKeysWithValues: (0..<count).map { (time(Int64($0)), Double($0)) }))
        #expect(try station.daemon.usage().peakMemory < 200 << 20)
        watcher.process.signal(SIGCONT)
        try waitUntil("the gap is told") {
            try station.publisher.publish("1", on: "\(station.root)/9/t")
            return watcher.text.contains(" not shown)")
        }
    }

    @Test("without a daemon, or with too many watchers, it says so")
    func refusals() throws {
        let station = try Station()
        let away = try Command.run(Project.program("windrow"), ["tail", "--config", station.daemon.configuration])
        #expect(away.status == 69)
        #expect(
            away.errors
                == "cannot reach the daemon at 127.0.0.1:\(station.daemon.adminPort) (http.admin): Connection refused; does it run?\n"
        )
        let unknown = try Command.run(
            Project.program("windrow"), ["tail", "--config", station.daemon.configuration, "--domain", "other"])
        #expect(unknown.status == 64)
        try station.daemon.startAndWait()
        let watchers = try (0..<9).map { _ in try Watcher(station.daemon) }
        defer { for watcher in watchers { watcher.process.signal(SIGKILL) } }
        try waitUntil("one is refused") { watchers.contains { $0.text.contains("503") } }
        try waitUntil("it ends") { watchers.contains { $0.process.exitCode() != nil } }
        #expect(watchers.count { $0.process.exitCode() != nil } == 1)
    }
}
