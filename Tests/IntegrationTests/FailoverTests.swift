import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// A standby takes over from a primary whose commits waited for it.
@Suite(.serialized) struct FailoverTests {
    /// How long a promoted standby may wait for the first commit.
    private static let patience = Duration.seconds(5)

    /// `WINDROW_FAILOVERS=10` makes it ten, and tells the times.
    @Test(
        "a primary that dies or hangs under load and its standby promoted, there and back: nothing is lost, doubled or wrong"
    )
    func underLoad() throws {
        var pair = try Pair()
        let rounds = ProcessInfo.processInfo.environment["WINDROW_FAILOVERS"].flatMap { Int($0) } ?? 2
        // The day of `stamp` has no more seconds.
        let count = min(10_000, 40_000 / rounds)
        for round in 0..<rounds {
            if round > 0 { try pair.swap() }
            let before = try pair.station.count()
            let gateways = Clients(
                pair.station.publisher,
                MixedLoad.lines(round * count..<(round + 1) * count, root: pair.station.root))
            try waitUntil("the load arrives") { try pair.station.count() > before + 1000 }
            let hangs = round % 2 == 1
            if hangs { pair.primary.freezePostgres() } else { try pair.primary.stop(.postgres, kill: true) }
            defer { if hangs { try? pair.primary.stop(.postgres, kill: true) } }
            // That points wait shows that the load was not over.
            try waitUntil("the outage is seen") {
                try (hangs || pair.daemon.get("/readyz").status == 503)
                    && pair.daemon.metric("windrow_points_pending") ?? 0 > 0
            }
            let took = try pair.failOver()
            if rounds > 2 {
                print(
                    "failover \(round + 1), \(hangs ? "hangs" : "dies"): committed and ready \(took) after the promotion"
                )
            }
            #expect(took < Self.patience)
            try gateways.wait()
            for (tag, points) in MixedLoad.expected((round + 1) * count) {
                try pair.station.waitUntilStored(points, tag: tag)
            }
            try pair.check()
        }
        #expect(try pair.station.deadLetters().isEmpty)
        #expect(try pair.daemon.stop() == 0)
    }

    @Test(
        "what a promoted standby lacks is written once more, under the series' own names, however they are numbered there"
    )
    func laggingStandby() throws {
        let pair = try Pair(isSynchronous: false, journal: "  keep: 10m")
        try pair.standby.holdBack()
        let tags = (0..<8).map { "lost\($0)" }
        for tag in tags { try pair.publish(1, tag: tag) }
        for tag in tags { try pair.station.waitUntilStored([time(1): 1], tag: tag) }
        let client = try pair.station.client()
        let request = #"[{"node_id": 7, "tag": "http", "data": [{"v": 5, "ts": "\#(stamp(5))"}]}]"#
        #expect(try client.post(Station.call(), request).status == 200)
        let numbers = try pair.connect(to: pair.primary).execute(
            "SELECT string_agg(format('(%s, 99, ''other%s'')', id, id), ', ') FROM windrow.series WHERE tag <> 't'"
        ).text(0, 0)

        try pair.primary.stop(.postgres, kill: true)
        // Pending by their numbers on the old primary.
        for tag in tags { try pair.publish(2, tag: tag) }
        try waitUntil("points are pending") {
            try pair.daemon.metrics().filter { $0.key.hasPrefix("windrow_lane_pending_points") }
                .reduce(0) { $0 + $1.value } == Double(tags.count)
        }
        pair.daemon.signal(SIGSTOP)
        try pair.standby.promote()
        // Others take the numbers there.
        let promoted = try pair.connect(to: pair.standby)
        try promoted.script("INSERT INTO windrow.node (id) VALUES (99)")
        try promoted.script("INSERT INTO windrow.series (id, node_id, tag) VALUES \(numbers)")
        pair.daemon.signal(SIGCONT)

        for tag in tags { try pair.station.waitUntilStored([time(1): 1, time(2): 2], tag: tag) }
        try pair.station.waitUntilStored([time(5): 5], node: 7, tag: "http")
        try pair.station.waitUntilStored([time(0): 0])
        #expect(
            try promoted.execute("SELECT count(*) FROM windrow.timeseries WHERE node_id = 99").int64(0, 0) == 0)
        try waitUntil("the daemon knows") { try pair.daemon.metric("windrow_points_pending") == 0 }
        #expect(try pair.daemon.metric("windrow_rewinds_total") == 1)
        #expect(try pair.daemon.metric("windrow_lost_positions_total") == 0)
        #expect(try pair.daemon.metric("windrow_points_replayed_total") == Double(tags.count + 1))
        try pair.check()
        // What is kept is no backlog.
        try waitUntil("all is known to be kept") {
            let report = try Command.require(
                Project.program("windrow"), ["journal", "--json", "--config", pair.daemon.configuration])
            return report.contains(#""batches":0"#) && !report.contains(#""kept_batches":0"#)
        }
    }

    @Test("what a promoted standby lacks and the journal holds no more is told, and the daemon goes on")
    func lossIsTold() throws {
        let pair = try Pair(isSynchronous: false)
        try pair.standby.holdBack()
        try pair.publish(1)
        try pair.station.waitUntilStored([time(0): 0, time(1): 1])
        try waitUntil("the journal is trimmed") { try pair.station.journaledBatches() == 0 }
        try pair.primary.stop(.postgres, kill: true)
        try pair.standby.promote()
        try pair.publish(2)
        try pair.station.waitUntilStored([time(0): 0, time(2): 2])
        #expect(try pair.daemon.metric("windrow_lost_positions_total") == 1)
        #expect(pair.daemon.log.contains("PostgreSQL has lost what it had committed"))
        try pair.check()
    }

    @Test(
        "a failover while the daemon was away: after its start it writes what the standby lacks, and tells what is lost"
    )
    func awayMeanwhile() throws {
        let pair = try Pair(isSynchronous: false, journal: "  keep: 10m")
        try pair.standby.holdBack()
        try pair.publish(1)
        try pair.station.waitUntilStored([time(0): 0, time(1): 1])
        #expect(try pair.daemon.stop() == 0)
        try pair.primary.stop(.postgres, kill: true)
        try pair.standby.promote()
        try pair.daemon.startAndWait()
        try pair.publish(2)
        try pair.station.waitUntilStored([time(0): 0, time(1): 1, time(2): 2])
        #expect(try pair.daemon.metric("windrow_lost_positions_total") == 0)
        try pair.station.checkAccounting()

        // As another standby would be that was behind and took over.
        try pair.daemon.edit("keep: 10m", to: "keep: 0s")
        pair.daemon.signal(SIGHUP)
        try waitUntil("the journal is trimmed") { try pair.station.journaledBatches() == 0 }
        #expect(try pair.daemon.stop() == 0)
        let promoted = try pair.connect(to: pair.standby)
        try promoted.script(
            "DELETE FROM windrow.point WHERE v = 2; UPDATE windrow.progress SET position = position - 1 WHERE position > 0"
        )
        try pair.daemon.startAndWait()
        #expect(try pair.daemon.metric("windrow_lost_positions_total") == 1)
        #expect(pair.daemon.log.contains("PostgreSQL has lost what it had committed"))
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

/// A primary and its standby, and a daemon that has both in its connection string and has stored a point.
private struct Pair {
    private(set) var primary: Sandbox
    private(set) var standby: Sandbox
    let station: Station
    private let process: Int32?

    var daemon: DaemonProcess { station.daemon }

    /// - Parameters:
    ///   - isSynchronous: whether commits wait for the standby.
    ///   - journal: further keys of `journal`, indented by two spaces.
    init(isSynchronous: Bool = true, journal: String = "") throws {
        primary = try Sandbox()
        standby = try Sandbox(standbyOf: primary)
        if isSynchronous { try primary.awaitStandbyInCommits() }
        station = try Station(
            sandbox: primary, standby: standby, http: "  commit_timeout: 500ms", domain: "    lanes: 2", more: journal)
        try station.daemon.startAndWait()
        process = station.daemon.processID
        try publish(0)
        try station.waitUntilStored([time(0): 0])
        let connection = try connect(to: standby)
        try waitUntil("it is on the standby") {
            try connection.execute("SELECT count(*) FROM windrow.point").int64(0, 0) == 1
        }
    }

    /// Promotes the standby.
    /// - Returns: how long it took from there until a request was committed and the daemon was ready.
    func failOver() throws -> Duration {
        try standby.promote()
        let promoted = ContinuousClock.now
        let tag = "probe\(UUID().uuidString)"
        var tries = 0
        try waitUntil("a request is committed", timeout: .seconds(60)) {
            tries += 1
            let request = #"[{"node_id": 8, "tag": "\#(tag)", "data": [{"v": 1, "ts": "\#(stamp(tries))"}]}]"#
            return try station.client().post(Station.call(), request).status == 200
        }
        try daemon.waitUntilReady()
        return .now - promoted
    }

    /// Makes the one that was killed the standby of the one that was promoted.
    mutating func swap() throws {
        try primary.becomeStandby(of: standby)
        (primary, standby) = (standby, primary)
        try primary.awaitStandbyInCommits()
    }

    func publish(_ second: Int, tag: String = "t") throws {
        try station.publisher.publish(#"{"v": \#(second), "ts": "\#(stamp(second))"}"#, on: "\(station.root)/1/\(tag)")
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
