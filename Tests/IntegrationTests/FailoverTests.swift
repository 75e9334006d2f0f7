import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// A standby takes over from a primary whose commits waited for it.
@Suite(.serialized) struct FailoverTests {
    @Test("a primary killed under load and its standby promoted, there and back: nothing is lost, doubled or wrong")
    func underLoad() throws {
        var pair = try Pair()
        let count = 10_000
        for round in 0..<2 {
            if round == 1 { try pair.swap() }
            let before = try pair.station.count()
            let gateways = Clients(
                pair.station.publisher,
                MixedLoad.lines(round * count..<(round + 1) * count, root: pair.station.root))
            try waitUntil("the load arrives") { try pair.station.count() > before + 1000 }
            try pair.primary.stop(.postgres, kill: true)
            // That points wait shows that the load was not over.
            try waitUntil("the outage is seen") {
                try pair.daemon.get("/readyz").status == 503 && pair.daemon.metric("windrow_points_pending") ?? 0 > 0
            }
            try pair.standby.promote()
            try pair.daemon.waitUntilReady()
            try gateways.wait()
            for (tag, points) in MixedLoad.expected((round + 1) * count) {
                try pair.station.waitUntilStored(points, tag: tag)
            }
            try pair.check()
        }
        #expect(try pair.station.deadLetters().isEmpty)
        #expect(try pair.daemon.stop() == 0)
    }

    @Test("a commit that reached the standby before the primary could tell is not done again")
    func commitThatArrived() throws {
        let pair = try Pair()
        // The standby gets what is committed, and the one that commits wait for does not exist.
        try pair.primary.awaitStandbyInCommits(named: "nobody")
        let standby = try pair.connect(to: pair.standby)
        try pair.publish(1)
        try waitUntil("it is on the standby") {
            try standby.execute("SELECT count(*) FROM windrow.point").int64(0, 0) == 2
        }
        #expect(try pair.daemon.metric("windrow_points_pending") == 1)
        try pair.primary.stop(.postgres, kill: true)
        try pair.standby.promote()
        try waitUntil("it is found to be stored") { try pair.daemon.metric("windrow_points_pending") == 0 }
        try pair.station.waitUntilStored([time(0): 0, time(1): 1])
        try pair.check()
    }

    @Test("a commit that is lost with its primary is done again")
    func commitThatIsLost() throws {
        let pair = try Pair()
        try pair.standby.stop(.postgres)
        try pair.publish(1)
        let primary = try pair.connect(to: pair.primary)
        try waitUntil("the commit waits for the standby") {
            try primary.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'").count > 0
        }
        try pair.primary.stop(.postgres, kill: true)
        try pair.standby.start(.postgres)
        try pair.standby.promote()
        try pair.station.waitUntilStored([time(0): 0, time(1): 1])
        try waitUntil("the daemon knows") { try pair.daemon.metric("windrow_points_pending") == 0 }
        try pair.check()
    }
}

/// A primary and its synchronous standby, and a daemon that has both in its connection string and has stored a point.
private struct Pair {
    private(set) var primary: Sandbox
    private(set) var standby: Sandbox
    let station: Station
    private let process: Int32?

    var daemon: DaemonProcess { station.daemon }

    init() throws {
        primary = try Sandbox()
        standby = try Sandbox(standbyOf: primary)
        try primary.awaitStandbyInCommits()
        station = try Station(sandbox: primary, standby: standby, domain: "    lanes: 2")
        try station.daemon.startAndWait()
        process = station.daemon.processID
        try publish(0)
        try station.waitUntilStored([time(0): 0])
    }

    /// Makes the one that was killed the standby of the one that was promoted.
    mutating func swap() throws {
        try primary.becomeStandby(of: standby)
        (primary, standby) = (standby, primary)
        try primary.awaitStandbyInCommits()
    }

    func publish(_ second: Int) throws {
        try station.publisher.publish(#"{"v": \#(second), "ts": "\#(stamp(second))"}"#, on: "\(station.root)/1/t")
    }

    /// To the station's database on one of the two.
    func connect(to server: Sandbox) throws -> Connection {
        let name = try Connection(station.database, applicationName: "windrow tests").database
        return try Connection(
            server.conninfo(database: name, user: "postgres") + " target_session_attrs=any",
            applicationName: "windrow tests")
    }

    /// Fails unless the daemon got here by itself, and has counted every point once.
    func check() throws {
        #expect(daemon.processID == process)
        // A flush that is done twice finds its points there.
        #expect(try daemon.metric("windrow_points_kept_total") == 0)
        try station.checkAccounting()
    }
}
