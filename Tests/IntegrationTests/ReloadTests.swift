import Foundation
import Testing
import WindrowTestSupport

@Suite struct ReloadTests {
    private static func message(_ second: Int) -> String { #"{"v": \#(second), "ts": \#(time(Int64(second)) / 1000)}"# }

    /// SIGHUP, and waits until the daemon has done what it asks for.
    private func reload(_ daemon: DaemonProcess, until text: String) throws {
        let before = daemon.log.count
        daemon.signal(SIGHUP)
        try waitUntil("the log says: \(text)") { daemon.log.dropFirst(before).contains(text) }
    }

    private func connections(_ daemon: DaemonProcess) -> Int { daemon.log.ranges(of: "connected session=").count }

    private func ready(_ daemon: DaemonProcess) throws -> Bool { try daemon.get("/readyz").status == 200 }

    @Test("topics come and go on the connection that there is, and a publisher that goes on meanwhile loses nothing")
    func topics() throws {
        let station = try Station(subscription: "            epoch: ms\n          - topic: old/{node}/{tag}")
        let daemon = station.daemon
        try daemon.startAndWait()
        let lines = (0..<20_000).map(Self.message)
        let clients = Clients(station.publisher, ["\(station.root)/1/t": lines])
        try daemon.edit("topic: old/", to: "topic: new/")
        try reload(daemon, until: "unsubscribing from topics that the configuration no longer has topics=old/+/+")
        for round in 0..<6 {
            let (from, to) = round % 2 == 0 ? ("insert", "update_window") : ("update_window", "insert")
            if round == 0 { try daemon.edit("epoch: ms", to: "epoch: ms\n            overwrite: insert") }
            try daemon.edit("overwrite: \(from)", to: "overwrite: \(to)")
            try reload(daemon, until: "overwrite: \(from) → \(to)")
        }
        try clients.wait()
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "new/2/t")
        try station.publisher.publish("1", on: "old/2/t")
        try station.waitUntilStored([time(0): 1], node: 2)
        try station.waitUntilStored(
            Dictionary(uniqueKeysWithValues: (0..<20_000).map { (time(Int64($0)), Double($0)) }))
        #expect(try station.deadLetters().isEmpty)
        #expect(connections(daemon) == 1)
        #expect(try ready(daemon))
        try station.checkAccounting()
    }

    @Test("what is on its way on a topic that is taken back is still accepted")
    func topicsTakenBack() throws {
        let station = try Station(subscription: "          - topic: old/{node}/{tag}")
        let daemon = station.daemon
        try daemon.startAndWait()
        // The daemon is in the midst of them when it takes the topic back, and the broker has most of them on their way.
        daemon.signal(SIGSTOP)
        let lines = (0..<20_000).map { #"{"v": \#($0), "ts": "2023-01-01T12:00:00Z"}"# }
        try station.publisher.publish(lines: lines, on: "old/1/t")
        try daemon.edit("          - topic: old/{node}/{tag}", to: "")
        daemon.signal(SIGHUP)
        daemon.signal(SIGCONT)
        try waitUntil("all are received") { try daemon.metric("windrow_messages_total") == 20_000 }
        try daemon.waitUntilLogged("unsubscribing")
        #expect(try station.deadLetters().isEmpty)
        #expect(connections(daemon) == 1)
    }

    @Test("settings of a session make a new connection, and other ones none; nothing is lost by it")
    func session() throws {
        let station = try Station(subscription: "            epoch: ms")
        let daemon = station.daemon
        try daemon.startAndWait()
        let clients = Clients(station.publisher, ["\(station.root)/1/t": (0..<20_000).map(Self.message)])
        for (round, seconds) in [20, 40, 50].enumerated() {
            try daemon.edit(
                "client_id: \(station.root)\n", to: "client_id: \(station.root)\n        keep_alive: \(seconds)s\n")
            try reload(daemon, until: "changed setting=")
            try waitUntil("it is connected again") { try connections(daemon) == round + 2 && ready(daemon) }
            try daemon.edit("        keep_alive: \(seconds)s\n", to: "")
        }
        try clients.wait()
        try station.waitUntilStored(
            Dictionary(uniqueKeysWithValues: (0..<20_000).map { (time(Int64($0)), Double($0)) }))
        #expect(try station.deadLetters().isEmpty)
    }

    @Test("a session comes and another one goes")
    func sessions() throws {
        let station = try Station()
        let daemon = station.daemon
        try daemon.startAndWait()
        let port = Sandbox.shared.mqttPort
        try daemon.edit(
            "    mqtt:\n",
            to: """
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(port)
                        client_id: \(station.root)-b
                        subscriptions: [{topic: "\(station.root)-b/{node}/{tag}"}]

                """)
        try reload(daemon, until: "topics=\(station.root)-b/+/+")
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)-b/1/t")
        try station.publisher.publish(#"{"v": 2, "ts": "2023-01-01T12:00:01Z"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1, time(1): 2])
        let text = try String(contentsOfFile: daemon.configuration, encoding: .utf8)
        let second = try #require(
            text.range(of: "      - broker: mqtt://127.0.0.1:\(port)\n        client_id: \(station.root)\n"))
        try String(text[..<second.lowerBound]).write(toFile: daemon.configuration, atomically: true, encoding: .utf8)
        try reload(daemon, until: "the session is given up")
        try waitUntil("the rest is ready") { try ready(daemon) }
        try station.publisher.publish(#"{"v": 3, "ts": "2023-01-01T12:00:02Z"}"#, on: "\(station.root)-b/1/t")
        try station.publisher.publish(#"{"v": 4, "ts": "2023-01-01T12:00:03Z"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1, time(1): 2, time(2): 3])
        #expect(try daemon.stop() == 0)
    }

    @Test("credentials that the broker refuses are mended by a reload, at once")
    func credentials() throws {
        let folder = try TemporaryFolder()
        let passwords = folder.path + "/passwords"
        try Command.require("mosquitto_passwd", ["-c", "-b", passwords, "windrow", "right"])
        try Command.require("chmod", ["644", passwords])
        try Command.require("chmod", ["755", folder.path])
        let sandbox = try Sandbox(mosquittoSettings: "password_file \(passwords)\n")
        let station = try Station(sandbox: sandbox)
        let daemon = station.daemon
        try daemon.edit(
            "client_id: \(station.root)\n",
            to: "client_id: \(station.root)\n        username: windrow\n        password: wrong\n")
        try daemon.start()
        try daemon.waitUntilLogged("broker connection failed")
        try daemon.edit("password: wrong", to: "password: right")
        try reload(daemon, until: "password: changed")
        try daemon.waitUntilReady(timeout: .seconds(5))
        #expect(!daemon.log.contains("wrong\"") && !daemon.log.contains("right\""))
    }

    @Test("a file with mistakes is refused with each of them, and all goes on as it was; keys are read all the same")
    func badFile() throws {
        let station = try Station()
        let daemon = station.daemon
        try daemon.startAndWait()
        try daemon.edit("interval: 100ms", to: "interval: 100")
        try daemon.edit("keys_file", to: "keys_fiel")
        try Data("other \(String(repeating: "0", count: 64))\n".utf8).write(
            to: URL(fileURLWithPath: daemon.path + "/demo.keys"))
        try reload(daemon, until: "the configuration stays as it was")
        try daemon.waitUntilLogged("domains.demo.flush.interval: expected a duration")
        try daemon.waitUntilLogged("keys_fiel: unknown key; did you mean `keys_file`?")
        try waitUntil("the key is revoked") {
            try station.client().post(Station.call(), "[]").status == 401
        }
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1])
        #expect(connections(daemon) == 1)
    }

    @Test("limits, bounds and the log's level hold from the reload on")
    func limits() throws {
        let station = try Station(http: "  max_body: 64KiB")
        let daemon = station.daemon
        try daemon.startAndWait()
        let client = try station.client()
        let old = #"[{"node_id": 1, "tag": "t", "data": [{"v": 1, "ts": "1995-01-01T00:00:00Z"}]}]"#
        let large = "[" + String(repeating: " ", count: 5000) + "]"
        #expect(try client.post(Station.call(), old).status == 200)
        #expect(try client.post(Station.call(), large).status != 413)
        try daemon.edit("max_body: 64KiB", to: "max_body: 4KiB")
        try daemon.edit(
            "flush: {interval: 100ms}",
            to: "flush: {interval: 90ms}\n    unknown_nodes: reject\n    timestamps: {oldest: 2000-01-01}")
        try daemon.edit("http:\n", to: "log_level: error\nhttp:\n")
        let before = daemon.log.count
        try reload(daemon, until: "domains.demo.timestamps.oldest: 1990-01-01T00:00:00Z → 2000-01-01T00:00:00Z")
        try waitUntil("the bounds hold") { try client.post(Station.call(), old).status == 422 }
        #expect(try station.client().post(Station.call(), large).status == 413)
        let unknown = old.replacingOccurrences(of: #""node_id": 1"#, with: #""node_id": 2"#)
            .replacingOccurrences(of: "1995", with: "2005")
        #expect(try client.post(Station.call(), unknown).status == 404)
        #expect(daemon.log.dropFirst(before).contains("log_level: info → error"))
        let after = daemon.log.count
        daemon.signal(SIGHUP)
        // By MQTT too.
        try station.publisher.publish(#"{"v": 1, "ts": "1995-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try waitUntil("it is rejected") { try station.deadLetters().count == 1 }
        #expect(try station.deadLetters()[0].reason == "timestamp_out_of_bounds")
        // Notices and warnings no longer pass.
        #expect(daemon.log.count == after)
    }

    @Test("`windrow check` tells what a reload would change, and what needs a restart, which a reload then says too")
    func foreseen() throws {
        let station = try Station()
        let daemon = station.daemon
        func check() throws -> String {
            try Command.run(Project.program("windrow"), ["check", "--config", daemon.configuration]).output
        }
        #expect(try !check().contains("reload"))
        try daemon.startAndWait()
        let process = try #require(daemon.processID)
        #expect(
            try check().contains(
                "ok    reload: nothing to do, the daemon (process \(process)) runs with this configuration\n"))
        try daemon.edit("interval: 100ms", to: "interval: 200ms")
        try daemon.edit(
            "client_id: \(station.root)\n", to: "client_id: \(station.root)\n        receive_maximum: 100\n")
        try daemon.edit("flush:", to: "lanes: 3\n    flush:")
        let session = "domains.demo.mqtt[mqtt://127.0.0.1:\(Sandbox.shared.mqttPort) as \(station.root)]"
        let expected = [
            "ok    reload: would change domains.demo.flush.interval: 100ms → 200ms",
            "ok    reload: would change \(session).receive_maximum: 65535 → 100; the broker is connected anew",
            "warn  reload: would not change domains.demo.lanes: 2 → 3; this needs a restart",
        ]
        let told = try check()
        for line in expected { #expect(told.contains(line + "\n"), "\(told)") }
        try reload(daemon, until: "takes effect with a restart only setting=\"domains.demo.lanes: 2 → 3\"")
        try waitUntil("it is noted") { try !check().contains("would change") }
        #expect(try check().contains(expected[2]))
        try daemon.stop()
        #expect(try !check().contains("reload"))
        // Nobody who reads the note learns a secret.
        try daemon.startAndWait()
        let note = try String(contentsOfFile: daemon.path + "/journal/demo/running.json", encoding: .utf8)
        #expect(!note.contains("dbname") && note.contains("domains.demo.postgres"))
        try daemon.kill()
        #expect(try !check().contains("reload"))
    }
}
