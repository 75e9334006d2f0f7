import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite(.serialized) struct CrashTests {
    @Test("killed again and again in the middle of a run, nothing acknowledged is lost, doubled or wrong")
    func sigkill() throws {
        let count = 4000
        let station = try Station(domain: "    lanes: 2")
        try station.daemon.startAndWait()

        let gateways = Clients(station.publisher, MixedLoad.lines(0..<count, root: station.root))
        var kills = 0
        while !gateways.isFinished || kills < 8 {
            usleep(UInt32.random(in: 20_000...400_000))
            try station.daemon.kill()
            kills += 1
            try station.daemon.start()
            if kills % 2 == 0 { try station.daemon.waitUntilReady() }
        }
        try gateways.wait()
        try station.daemon.waitUntilReady()
        for (tag, points) in MixedLoad.expected(count) { try station.waitUntilStored(points, tag: tag) }
        // The messages on their way were sent again, none is doubled and none was refused.
        #expect(try station.deadLetters().isEmpty)
        try station.checkAccounting()
        #expect(try station.daemon.stop() == 0)
    }

    @Test("PostgreSQL stopped under load: nothing is lost, memory is bounded, and it catches up by itself")
    func outage() throws {
        let count = 20_000
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox, more: "limits: {memory: 2MiB}")
        try station.daemon.startAndWait()
        try station.publisher.publish("1", on: "\(station.root)/2/warm-up")
        try waitUntil("the first point is stored") { try station.count() == 1 }
        let before = station.daemon.residentMemory

        try sandbox.stop(.postgres, kill: true)
        let gateways = Clients(
            station.publisher,
            Dictionary(
                uniqueKeysWithValues: (0..<6).map { gateway in
                    ("\(station.root)/1/g\(gateway)", (0..<count).map { #"{"v": \#($0), "ts": "\#(stamp($0))"}"# })
                }))
        var highest = 0
        try waitUntil("all of it waits in the journal", timeout: .seconds(60)) {
            highest = max(highest, station.daemon.residentMemory)
            return try gateways.isFinished && station.daemon.metric("windrow_points_pending") == Double(6 * count)
        }
        try gateways.wait()
        #expect(try station.daemon.get("/readyz").status == 503)
        #expect(try station.daemon.get("/readyz").body.contains("postgres"))
        try sandbox.start(.postgres)
        try station.daemon.waitUntilReady()
        try waitUntil("everything is stored", timeout: .seconds(60)) { try station.count() == 6 * count + 1 }
        highest = max(highest, station.daemon.residentMemory)
        for gateway in 0..<6 {
            #expect(
                try station.stored(tag: "g\(gateway)")
                    == Dictionary(uniqueKeysWithValues: (0..<count).map { (time(Int64($0)), Double($0)) }))
        }
        #expect(Sanitizer.isOn || highest - before < 64 << 20, "grew by \((highest - before) >> 20) MiB")
        try station.checkAccounting()
        #expect(try station.daemon.stop() == 0)
    }

    @Test("after a change of the number of lanes, what waits in the journal is written right")
    func laneCount() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox, domain: "    lanes: 4")
        try station.daemon.startAndWait()
        for tag in 0..<8 {
            try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/t\(tag)")
        }
        try waitUntil("the first points are stored") { try station.count() == 8 }
        try sandbox.stop(.postgres)
        for tag in 0..<8 {
            try station.publisher.publish(
                #"{"data": [{"v": \#(tag), "ts": "\#(stamp(0))"}, {"v": 2, "ts": "\#(stamp(1))"}], "overwrite": "update_window"}"#,
                on: "\(station.root)/1/t\(tag)")
        }
        try waitUntil("the points are accepted") { try station.daemon.metric("windrow_points_pending") == 16 }
        try station.daemon.kill()
        let text = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "lanes: 4", with: "lanes: 1")
            .write(toFile: station.daemon.configuration, atomically: true, encoding: .utf8)
        try sandbox.start(.postgres)
        try station.daemon.startAndWait()
        for tag in 0..<8 { try station.waitUntilStored([time(0): Double(tag), time(1): 2], tag: "t\(tag)") }
        try station.checkAccounting()
    }

    @Test(
        "what the journal keeps is not written over what others have written since, also by another number of lanes")
    func keptOverRestart() throws {
        let station = try Station(domain: "    lanes: 4", more: "  keep: 10m")
        try station.daemon.startAndWait()
        for tag in 0..<4 {
            try station.publisher.publish(
                #"{"data": [{"v": 1, "ts": "\#(stamp(0))"}], "overwrite": "update_window"}"#,
                on: "\(station.root)/1/t\(tag)")
            try station.waitUntilStored([time(0): 1], tag: "t\(tag)")
        }
        for lanes in [4, 1, 3] {
            try waitUntil("all is known to be kept") {
                let report = try Command.require(
                    Project.program("windrow"), ["journal", "--json", "--config", station.daemon.configuration])
                return report.contains(#""batches":0"#) && !report.contains(#""kept_batches":0"#)
            }
            try station.daemon.kill()
            try Connection(station.database, applicationName: "windrow tests").execute(
                "UPDATE windrow.point SET v = $1", [.float8(Double(lanes))])
            if lanes != 4 { try station.daemon.edit(lanes == 1 ? "lanes: 4" : "lanes: 1", to: "lanes: \(lanes)") }
            try station.daemon.startAndWait()
            try station.publisher.publish(#"{"v": \#(lanes), "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/x\(lanes)")
            try station.waitUntilStored([time(0): Double(lanes)], tag: "x\(lanes)")
            for tag in 0..<4 { try station.waitUntilStored([time(0): Double(lanes)], tag: "t\(tag)") }
            #expect(try station.daemon.metric("windrow_points_replayed_total") == 0)
            #expect(try station.daemon.metric("windrow_lost_positions_total") == 0)
        }
    }
}
