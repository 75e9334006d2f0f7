import Foundation
import LibPQ
import Synchronization
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
        let count = min(5_000, 40_000 / rounds)
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

    @Test("edits of all modes, and an import, that a promoted standby lacks are as if they had always been there")
    func laggingUnderLoad() throws {
        let pair = try Pair(isSynchronous: false, journal: "  keep: 10m")
        func publish(_ range: Range<Int>) throws {
            try Clients(pair.station.publisher, MixedLoad.lines(range, root: pair.station.root)).wait()
        }
        func waitUntilStored(_ count: Int) throws {
            for (tag, points) in MixedLoad.expected(count) { try pair.station.waitUntilStored(points, tag: tag) }
        }
        try publish(0..<300)
        try waitUntilStored(300)
        try pair.standby.holdBack()
        // Of the windows that are replaced here, the standby has the points of those before.
        try publish(300..<600)
        try waitUntilStored(600)

        let text = (0..<1000).reduce(into: "node,tag,ts,v\n") { $0 += "\($1 % 3 + 2),import,\(stamp($1)),\($1)\n" }
        let folder = try TemporaryFolder("windrow-import")
        let file = try folder.write(text, to: "rows.csv")
        let blocker = try pair.connect(to: pair.primary)
        try blocker.script("BEGIN; LOCK TABLE windrow.point IN EXCLUSIVE MODE")
        let task = try ChildProcess(
            Project.program("windrow"), ["import", file, "--config", pair.daemon.configuration],
            output: folder.path + "/out", errors: folder.path + "/err")
        let watcher = try pair.connect(to: pair.primary)
        try waitUntil("the import waits for the lock") {
            try watcher.execute(
                "SELECT FROM pg_stat_activity WHERE application_name LIKE 'windrow import lane%' AND wait_event_type = 'Lock'"
            ).count > 0
        }
        try pair.primary.stop(.postgres, kill: true)
        try pair.standby.promote()

        let code = try waitUntil("the import ends", timeout: .seconds(60)) { task.exitCode() }
        let told = try ["/out", "/err"].map { try String(contentsOfFile: folder.path + $0, encoding: .utf8) }.joined()
        #expect(code == 0 && told.contains("inserted 1,000,") && told.contains("has failed over"), "\(told)")
        for node in 0..<3 {
            try pair.station.waitUntilStored(
                Dictionary(
                    uniqueKeysWithValues: stride(from: node, to: 1000, by: 3).map { (time(Int64($0)), Double($0)) }),
                node: Int64(node) + 2, tag: "import")
        }
        try waitUntilStored(600)
        #expect(try pair.daemon.metric("windrow_lost_positions_total") == 0)
        try pair.check()
    }

    @Test("a primary that hangs in the middle of a look-up is given up as soon as one that hangs in a flush")
    func hangsInLookUp() throws {
        let pair = try Pair()
        let blocker = try pair.connect(to: pair.primary)
        try blocker.script("BEGIN; LOCK TABLE windrow.series IN ACCESS EXCLUSIVE MODE")
        try pair.publish(1, tag: "new")
        let watcher = try pair.connect(to: pair.primary)
        try waitUntil("it is looked up") {
            try watcher.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = 'windrow catalog' AND wait_event_type = 'Lock'"
            ).count > 0
        }
        pair.primary.freezePostgres()
        defer { try? pair.primary.stop(.postgres, kill: true) }
        let took = try pair.failOver()
        #expect(took < Self.patience)
        try pair.station.waitUntilStored([time(1): 1], tag: "new")
        try pair.check()
    }

    @Test(
        "commit: local waits for no standby and remote does, from the next start on; `windrow check` tells what holds")
    func commitModes() throws {
        let pair = try Pair(domain: "    commit: local")
        let primary = try pair.connect(to: pair.primary)
        func check() throws -> String {
            try Command.run(Project.program("windrow"), ["check", "--config", pair.daemon.configuration]).output
        }
        func post(_ second: Int) throws -> Int {
            let request = #"[{"node_id": 8, "tag": "http", "data": [{"v": 1, "ts": "\#(stamp(second))"}]}]"#
            return try pair.station.client().post(Station.call(), request).status
        }
        #expect(
            try check().contains(
                "warn  demo commit local: commits wait for no standby, and there are several hosts: a failover loses what the standby has not received; set commit: remote"
            ))
        try pair.standby.stop(.postgres)
        #expect(try post(1) == 200)
        try pair.daemon.edit("commit: local", to: "commit: remote")
        #expect(try check().contains("would not change domains.demo.commit: local → remote; this needs a restart"))
        #expect(try check().contains("ok    demo commit remote: commits wait for standbys: standby"))
        pair.daemon.signal(SIGHUP)
        try pair.daemon.waitUntilLogged(
            #"takes effect with a restart only setting="domains.demo.commit: local → remote""#)
        #expect(try post(2) == 200)

        try pair.daemon.kill()
        try pair.daemon.start()
        try waitUntil("a commit waits for the standby") {
            try primary.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'").count > 0
        }
        try waitUntil("it takes requests") { (try? post(3)) == 202 }
        #expect(try pair.daemon.metric("windrow_points_pending") ?? 0 > 0)
        try pair.standby.start(.postgres)
        try pair.daemon.waitUntilReady()
        try pair.station.waitUntilStored([time(1): 1, time(2): 1, time(3): 1], node: 8, tag: "http")

        try pair.primary.awaitStandbyInCommits(named: "")
        let nobody = "demo commit remote: commits wait for no standby: the server's synchronous_standby_names is empty"
        #expect(try check().contains("warn  \(nobody), and there are several hosts: a failover loses"))
        try pair.daemon.edit("/journal\n", to: "/journal\n  keep: 10m\n")
        #expect(
            try check().contains(
                "ok    \(nobody); after a failover the journal writes once more what was committed in the last 10m (journal.keep)"
            ))
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
        try pair.daemon.waitUntilLogged("PostgreSQL has lost what it had committed")
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
        try pair.daemon.waitUntilLogged("PostgreSQL has lost what it had committed")
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

/// A primary that waits for nobody, its standby, and a broker. The two change places from test to test: to make one of them a standby is
/// much quicker than to make both.
private struct Couple {
    let primary: Sandbox
    let standby: Sandbox
    let broker: Sandbox

    private static let last = Mutex<Couple?>(nil)

    init() throws {
        if let last = Self.last.withLock({ $0 }) {
            broker = last.broker
            guard let running = [last.standby, last.primary].first(where: Self.takesWrites) else {
                throw FixtureError("the test before has left no PostgreSQL that takes writes")
            }
            primary = running
            standby = primary === last.standby ? last.primary : last.standby
            try standby.stop(.postgres, kill: true)
            let connection = try Connection(primary.conninfo(user: "postgres"), applicationName: "windrow tests")
            try connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            try connection.execute("SELECT pg_reload_conf()")
            try standby.becomeStandby(of: primary)
        } else {
            broker = try Sandbox()
            primary = broker
            standby = try Sandbox(standbyOf: primary)
            primary.stopAtExit()
            standby.stopAtExit()
        }
        Self.last.withLock { [self] in $0 = self }
    }

    private static func takesWrites(_ sandbox: Sandbox) -> Bool {
        let connection = try? Connection(
            sandbox.conninfo(user: "postgres") + " connect_timeout=2", applicationName: "windrow tests")
        return connection != nil
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
    ///   - domain: further keys of the domain, indented by four spaces.
    ///   - journal: further keys of `journal`, indented by two spaces.
    init(isSynchronous: Bool = true, domain: String = "", journal: String = "") throws {
        let couple = try Couple()
        (primary, standby) = (couple.primary, couple.standby)
        if isSynchronous { try primary.awaitStandbyInCommits() }
        station = try Station(
            sandbox: primary, standby: standby, broker: couple.broker, http: "  commit_timeout: 500ms",
            domain: "    lanes: 2\n\(domain)",
            more: journal)
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
