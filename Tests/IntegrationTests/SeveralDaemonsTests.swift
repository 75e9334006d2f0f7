import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite(.serialized) struct SeveralDaemonsTests {
    private func shared(_ count: Int = 2) throws -> Twins { try Twins { _, root in Twins.shared(root) } }

    private func line(_ number: Int) -> String { #"{"v": \#(number), "ts": "\#(stamp(number))"}"# }

    private func points(_ numbers: Range<Int>) -> [Int64: Double] {
        Dictionary(uniqueKeysWithValues: numbers.map { (time(Int64($0)), Double($0)) })
    }

    @Test(
        "two daemons that share a subscription store every message, of nodes and series too that both meet at once, though both are killed on the way"
    )
    func sharedInserts() throws {
        let twins = try shared()
        try twins.startAndWait()
        let (nodes, count) = (6, 600)
        // Every second message of a series goes to the other daemon: each series is new to both at the same moment.
        let gateways = Clients(
            (0..<nodes).map { node in
                { [port = twins.mqttPort, root = twins.root] in
                    let uuid = "00000000-0000-4000-8000-00000000000\(node)"
                    try BacklogPublisher(port: port).publish(2 * count) { number in
                        let name = number % 4 < 2 ? "\(node + 1)" : uuid
                        let second = number / 4 * 2 + number % 2
                        return ("\(root)/\(name)/t", line(second))
                    }
                }
            })
        for daemon in twins.daemons {
            try waitUntil("it takes some") { try twins.received(daemon) > 0 }
            try daemon.kill()
            try daemon.start()
        }
        try gateways.wait()
        for daemon in twins.daemons { try daemon.waitUntilReady() }
        try waitUntil("everything is stored", timeout: .seconds(60)) { try twins.count() == 2 * nodes * count }
        let stored = try twins.stored()
        #expect(stored.count == 2 * nodes)
        #expect(stored.values.allSatisfy { $0 == points(0..<count) })
        try twins.checkAccounting()
        for daemon in twins.daemons { #expect(try daemon.stop() == 0) }
    }

    @Test(
        "with topics of its own in all modes, a shared one, and requests to both, each of two daemons may be killed and nothing is lost, doubled or wrong"
    )
    func mixed() throws {
        let count = 1500
        // Each has a level of topics to itself, where the order counts.
        let twins = try Twins(domain: "    lanes: 2") { place, root in
            "          - topic: \(root)-\(place)/{node}/{tag}\n" + Twins.shared(root)
        }
        try twins.startAndWait()
        var lines: [String: [String]] = [:]
        for place in 0...1 {
            for (topic, payloads) in MixedLoad.lines(0..<count, root: "\(twins.root)-\(place)") {
                // The daemons' series are their own.
                lines[topic.replacing("/1/", with: "/\(place + 1)/")] = payloads
            }
        }
        for tag in 0..<3 { lines["\(twins.root)/3/shared\(tag)"] = (0..<count).map(line) }
        // Both daemons write the same series, at times of their own.
        let requests: [@Sendable () throws -> Void] = twins.daemons.enumerated().map { place, daemon in
            { [port = daemon.httpPort] in
                for number in 0..<100 {
                    let body =
                        #"[{"node_id": 4, "tag": "posted", "data": [{"v": \#(number), "ts": "\#(stamp(2 * number + place))"}]}]"#
                    try waitUntil("the request is accepted", timeout: .seconds(30)) {
                        guard let client = try? HTTPConnection(port: port),
                            let status = try? client.post(Station.call("overwrite=update_window"), body).status
                        else { return false }
                        return status == 200 || status == 202
                    }
                }
            }
        }
        let posting = Clients(requests)
        let gateways = Clients(twins.publisher, lines)
        var kills = 0
        while !gateways.isFinished || !posting.isFinished || kills < 4 {
            usleep(UInt32.random(in: 100_000...500_000))
            let daemon = twins.daemons[kills % 2]
            try daemon.kill()
            kills += 1
            try daemon.start()
            try daemon.waitUntilReady()
        }
        try gateways.wait()
        try posting.wait()
        var expected: [String: [Int64: Double]] = [:]
        for place in 1...2 {
            for (tag, points) in MixedLoad.expected(count) { expected["\(place)/\(tag)"] = points }
        }
        for tag in 0..<3 { expected["3/shared\(tag)"] = points(0..<count) }
        expected["4/posted"] = Dictionary(
            uniqueKeysWithValues: (0..<200).map { (time(Int64($0)), Double($0 / 2)) })
        do {
            try waitUntil("all is as the model has it", timeout: .seconds(60)) { try twins.stored() == expected }
        } catch {
            let stored = try twins.stored()
            for (name, points) in expected where stored[name] != points {
                Issue.record("\(name): \(stored[name]?.count ?? 0) points, expected \(points.count)")
            }
            throw error
        }
        try twins.checkAccounting()
    }

    @Test(
        "of windows that two daemons replace at the same moment one stays whole, and of two updates of a point the later commit's"
    )
    func sameMoment() throws {
        let twins = try shared()
        try twins.startAndWait()
        let seconds = 0..<50
        @Sendable func body(_ value: Double, _ step: Int) -> String {
            let data = stride(from: seconds.lowerBound + step, to: seconds.upperBound, by: 2).map {
                #"{"v": \#(value), "ts": "\#(stamp($0))"}"#
            }
            let window = #""window": {"start": "\#(stamp(0))", "end": "\#(stamp(50))"}"#
            return #"[{"node_id": 1, "tag": "t", \#(window), "data": [\#(data.joined(separator: ","))]}]"#
        }
        func windows(_ round: Int) -> [[Int64: Double]] {
            (0...1).map { place in
                Dictionary(
                    uniqueKeysWithValues: stride(from: place, to: 50, by: 2).map {
                        (time(Int64($0)), Double(2 * round + place))
                    })
            }
        }
        for round in 0..<40 {
            // Points of the one are between those of the other.
            let posting = Clients(
                twins.daemons.enumerated().map { place, daemon in
                    { [port = daemon.httpPort] in
                        let answer = try HTTPConnection(port: port).post(
                            Station.call("overwrite=replace_window"), body(Double(2 * round + place), place))
                        guard answer.status == 200 else { throw FixtureError("answered \(answer.status)") }
                    }
                })
            try posting.wait()
            let stored = try twins.stored()["1/t"] ?? [:]
            #expect(windows(round).contains(stored), "round \(round): \(stored.sorted { $0.key < $1.key })")
        }
        // One after the other, the later commit wins, whichever daemon it is of.
        for round in 0..<10 {
            let daemon = twins.daemons[round % 2]
            let update = #"[{"node_id": 1, "tag": "u", "data": [{"v": \#(round), "ts": "\#(stamp(0))"}]}]"#
            let answer = try HTTPConnection(port: daemon.httpPort).post(
                Station.call("overwrite=update_window"), update)
            #expect(answer.status == 200)
            #expect(try twins.stored()["1/u"] == [time(0): Double(round)])
        }
    }
}

@Suite(.serialized) struct HandingOverTests {
    private func line(_ number: Int) -> String { #"{"v": \#(number), "ts": "\#(stamp(number))"}"# }

    private func publish(_ twins: Twins, _ numbers: Range<Int>) throws {
        try BacklogPublisher(port: twins.mqttPort).publish(numbers.count) { number in
            ("\(twins.root)/1/t", line(numbers.lowerBound + number))
        }
    }

    @Test(
        "a daemon that is stopped takes what it was assigned, and all that comes later goes to the others at once; the last one stays subscribed"
    )
    func stopped() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        try twins.startAndWait()
        try twins.waitUntilTold()
        // What it is assigned while it cannot read waits for it alone.
        twins.first.signal(SIGSTOP)
        try publish(twins, 0..<4000)
        twins.first.signal(SIGTERM)
        twins.first.signal(SIGCONT)
        #expect(try twins.first.waitForExit() == 0)
        #expect(twins.first.log.contains("unsubscribed from what others serve"), "\(twins.first.log)")
        try waitUntil("nothing waits for the first one") { try twins.count() == 4000 }

        try publish(twins, 4000..<5000)
        try waitUntil("the second one gets all that comes", timeout: .seconds(20)) { try twins.count() == 5000 }

        // Nobody else is there: the broker has to keep what comes.
        #expect(try twins.second.stop() == 0)
        #expect(twins.second.log.contains("stays subscribed while it is stopped"), "\(twins.second.log)")
        try publish(twins, 5000..<6000)
        try twins.second.startAndWait()
        try waitUntil("what came meanwhile is stored") { try twins.count() == 6000 }

        // Back again, the first one gets its share.
        try twins.first.startAndWait()
        #expect(try twins.received(twins.first) == 0)
        try publish(twins, 6000..<6100)
        try waitUntil("all is stored") { try twins.count() == 6100 }
        #expect(try twins.received(twins.first) > 0)
    }

    @Test("two daemons that are stopped at the same moment do not leave the messages to each other")
    func bothStopped() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        try twins.startAndWait()
        try twins.waitUntilTold()
        for daemon in twins.daemons { daemon.signal(SIGTERM) }
        for daemon in twins.daemons { #expect(try daemon.waitForExit() == 0) }
        let staying = twins.daemons.filter { $0.log.contains("stays subscribed while it is stopped") }
        #expect(staying.count == 1)
        try publish(twins, 0..<100)
        try twins.startAndWait()
        try waitUntil("what came meanwhile is stored") { try twins.count() == 100 }
    }

    @Test("without PostgreSQL a daemon that is stopped stays subscribed: it cannot know whether others are there")
    func withoutDatabase() throws {
        let sandbox = try Sandbox()
        let twins = try Twins(sandbox: sandbox) { _, root in Twins.shared(root) }
        try twins.startAndWait()
        try twins.waitUntilTold()
        try sandbox.stop(.postgres)
        try waitUntil("it is noticed") { try twins.first.get("/readyz").status == 503 }
        #expect(try twins.first.stop() == 0)
        #expect(twins.first.log.contains("stays subscribed while it is stopped"))
        try publish(twins, 0..<100)
        try sandbox.start(.postgres)
        try twins.first.startAndWait()
        try waitUntil("all is stored", timeout: .seconds(20)) { try twins.count() == 100 }
    }

    @Test("messages that the broker assigns to a daemon that was killed wait for it, and are stored when it is back")
    func killed() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        try twins.startAndWait()
        try twins.first.kill()
        try publish(twins, 0..<1000)
        // mosquitto goes on round robin.
        try waitUntil("the other one has its share") { try twins.count() == 500 }
        try twins.first.startAndWait()
        try waitUntil("all is stored") { try twins.count() == 1000 }
    }

    @Test(
        "what a daemon that was killed had not acknowledged reaches another one that is lent its client id, by a reload"
    )
    func lentClientID() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        try twins.startAndWait()
        // Its messages are sent, and it acknowledges none.
        twins.first.signal(SIGSTOP)
        try publish(twins, 0..<1000)
        try twins.first.kill()
        try waitUntil("the other one has its share") { try twins.count() == 500 }
        let lent = """
                mqtt:
                  - broker: mqtt://127.0.0.1:\(twins.mqttPort)
                    client_id: \(twins.clientID(0))
                    subscriptions:

            """
        try twins.second.edit("    mqtt:\n", to: lent + Twins.shared(twins.root) + "\n")
        twins.second.signal(SIGHUP)
        try waitUntil("all is stored") { try twins.count() == 1000 }
    }
}

@Suite(.serialized) struct ClientIDTests {
    private func check(_ daemon: DaemonProcess) throws -> Command.Result {
        try Command.run(Project.program("windrow"), ["check", "--config", daemon.configuration])
    }

    @Test("check warns of a client id that another daemon uses, says whose, and leaves that one's session alone")
    func inUse() throws {
        let twins = try Twins(clientIDs: ["", ""]) { _, root in Twins.shared(root) }
        try twins.first.startAndWait()
        try waitUntil("the client id is told") { try check(twins.second).output.contains("is in use") }
        let told = try check(twins.second)
        #expect(told.status == 0)
        #expect(
            told.output.contains(
                "warn  demo broker mqtt://127.0.0.1:\(twins.mqttPort): client id \(twins.root) is in use by another windrow"
            ),
            "\(told.output)")
        #expect(told.output.contains("windrow catalog from 127.0.0.1, connected since 20"), "\(told.output)")
        // Beside the daemon that it is for.
        let own = try check(twins.first).output
        #expect(!own.contains("warn"), "\(own)")
        #expect(try twins.first.get("/readyz").status == 200)
        #expect(!twins.first.log.contains("error"), "\(twins.first.log)")
        // One that is gone uses nothing.
        try twins.first.kill()
        try waitUntil("PostgreSQL has noticed") { try !check(twins.second).output.contains("is in use") }
    }

    @Test(
        "an idle domain with shared subscriptions stays at the database, where others see it; any other one is seen while it is at work"
    )
    func idle() throws {
        let shared = try Twins { _, root in Twins.shared(root) }
        try shared.first.startAndWait()
        let connection = try Connection(shared.database, applicationName: "windrow tests")
        // Longer than an idle one keeps it: it is asked every 5 s.
        try waitUntil("the connection is used for long", timeout: .seconds(20)) {
            try connection.execute(
                """
                SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'windrow catalog'
                AND query_start - backend_start > interval '6 s'
                """
            ).count == 1
        }
        try shared.waitUntilTold(1)

        let alone = try Twins(clientIDs: ["", ""]) { _, root in "          - topic: \(root)/{node}/{tag}" }
        try alone.first.startAndWait()
        try waitUntil("it is not seen when idle") { try !check(alone.second).output.contains("is in use") }
        try alone.publisher.publish("1", on: "\(alone.root)/1/t")
        try waitUntil("it is seen at work") { try check(alone.second).output.contains("is in use") }
    }

    @Test(
        "two daemons with one client id say so, name each other, and do not take the session from each other in a loop")
    func takenOver() throws {
        let twins = try Twins(clientIDs: ["", ""]) { _, root in Twins.shared(root) }
        try twins.first.startAndWait()
        try twins.second.start()
        try waitUntil("the second finds the other") {
            twins.second.log.contains("another windrow uses this client id")
        }
        #expect(twins.second.log.contains("other=\"windrow catalog from 127.0.0.1"), "\(twins.second.log)")
        try waitUntil("the second is told who has its session", timeout: .seconds(20)) {
            twins.second.log.contains("another client uses this client id, and the broker gives it the session")
        }
        // mosquitto ends the first one's connections without a word.
        try waitUntil("the first makes a guess", timeout: .seconds(60)) {
            twins.first.log.contains("another client seems to use this client id")
        }
        let connections = twins.daemons.reduce(0) { $0 + $1.log.components(separatedBy: ": subscribed").count - 1 }
        #expect(connections < 15, "\(twins.first.log)\n\(twins.second.log)")
        try twins.first.stop()
        try twins.second.waitUntilReady(timeout: .seconds(30))
        try waitUntil("it is alone again", timeout: .seconds(20)) {
            twins.second.log.contains("no other windrow uses this client id any more")
        }
    }
}

@Suite struct ShareCheckTests {
    @Test("check warns where a broker scatters the messages of a topic over a group, if their order matters")
    func scattering() throws {
        let replacing = try Twins { _, root in Twins.shared(root, overwrite: "replace_window") }
        let told = try Command.run(Project.program("windrow"), ["check", "--config", replacing.first.configuration])
        #expect(told.status == 0)
        #expect(told.output.contains("gives the messages of one topic to several subscribers"), "\(told.output)")
        let inserting = try Twins { _, root in Twins.shared(root) }
        let calm = try Command.run(Project.program("windrow"), ["check", "--config", inserting.first.configuration])
        #expect(!calm.output.contains("warn") && calm.output.contains("shared subscriptions insert"), "\(calm.output)")
    }

    @Test("check says that it cannot tell where the broker lets it try nothing")
    func refusing() throws {
        let folder = try TemporaryFolder()
        try folder.write("topic deny windrow-check/#\ntopic readwrite #\n", to: "acl")
        try Command.require("chmod", ["-R", "a+rX", folder.path])
        let sandbox = try Sandbox(mosquittoSettings: "acl_file \(folder.path)/acl\n")
        let twins = try Twins(sandbox: sandbox) { _, root in Twins.shared(root, overwrite: "update_window") }
        let told = try Command.run(Project.program("windrow"), ["check", "--config", twins.first.configuration])
        #expect(told.status == 0)
        #expect(
            told.output.contains("it could not be told whether a topic stays with one subscriber"), "\(told.output)")
    }
}
