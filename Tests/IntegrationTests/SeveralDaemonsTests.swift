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
                        // Of the half that no UUID is given a number of: it may be met before the node with that number.
                        let name = number % 4 < 2 ? "\(1 << 62 + node)" : uuid
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
