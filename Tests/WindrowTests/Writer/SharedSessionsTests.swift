import LibPQ
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct SharedSessionsTests {
    private static let broker = "mqtt://broker:1883"
    private let fixture: WriterFixture
    private let gone = SharedSession(broker: broker, clientID: "gone", filters: ["$share/g/a/+", "$share/g/b/+"])

    init() throws {
        fixture = try WriterFixture()
    }

    /// A daemon at the database, as far as this goes.
    private struct Daemon {
        let connection: Connection
        var locks = PresenceLocks()
        var sessions: SharedSessions

        init(_ fixture: WriterFixture, having own: [String: SharedSession?]) throws {
            connection = try fixture.connect()
            sessions = SharedSessions(schema: fixture.schema)
            let orders = Presence.Orders(version: 1, sessions: own, groups: [:], leaving: [], adopted: [])
            _ = try locks.follow(orders, run: "run", connection)
            try sessions.record(own, connection)
        }

        mutating func claim(
            _ groups: Set<String>, after time: Duration = .zero, since start: ContinuousClock.Instant
        ) throws -> [SharedSession] {
            try sessions.claim(in: groups, at: start + time, connection)
        }
    }

    /// Returns when PostgreSQL has noticed.
    private func end(_ daemon: Daemon) throws {
        let process = daemon.connection.backendID
        daemon.connection.close()
        try waitUntil("its session ends") {
            try fixture.connection.execute("SELECT FROM pg_stat_activity WHERE pid = $1", [.int4(process)]).count == 0
        }
    }

    private func rows() throws -> Int64 {
        try fixture.connection.execute("SELECT count(*) FROM windrow.shared_session").int64(0, 0)
    }

    @Test(
        "a session whose daemon has been gone for a while is claimed by one of the others, and once it is empty by nobody"
    )
    func claimed() throws {
        let start = ContinuousClock.now
        let owner = try Daemon(fixture, having: [gone.name: gone])
        var (first, second) = (try Daemon(fixture, having: [:]), try Daemon(fixture, having: [:]))
        #expect(try first.claim(gone.groups, since: start) == [])
        #expect(try first.claim(gone.groups, after: .seconds(100), since: start) == [])
        try end(owner)
        #expect(try first.claim(gone.groups, after: .seconds(100), since: start) == [])
        #expect(try second.claim(gone.groups, after: .seconds(100), since: start) == [])
        #expect(try first.claim(gone.groups, after: .seconds(109), since: start) == [])
        #expect(try first.claim(gone.groups, after: .seconds(111), since: start) == [gone])
        #expect(try second.claim(gone.groups, after: .seconds(200), since: start) == [])
        // Not in a hurry when it has failed.
        #expect(try first.claim(gone.groups, after: .seconds(116), since: start) == [])
        #expect(try first.claim(gone.groups, after: .seconds(172), since: start) == [gone])
        try first.sessions.finish(gone, first.connection)
        #expect(try rows() == 0)
        #expect(try second.claim(gone.groups, after: .seconds(300), since: start) == [])
    }

    @Test("a claim goes with the daemon that has it, and ends when the session's own daemon is back")
    func claimEnds() throws {
        let start = ContinuousClock.now
        try end(Daemon(fixture, having: [gone.name: gone]))
        var (first, second) = (try Daemon(fixture, having: [:]), try Daemon(fixture, having: [:]))
        #expect(try first.claim(gone.groups, since: start) == [])
        #expect(try second.claim(gone.groups, since: start) == [])
        #expect(try first.claim(gone.groups, after: .seconds(11), since: start) == [gone])
        #expect(try second.claim(gone.groups, after: .seconds(11), since: start) == [])
        try end(first)
        #expect(try second.claim(gone.groups, after: .seconds(12), since: start) == [gone])
        let back = try Daemon(fixture, having: [gone.name: gone])
        #expect(try second.claim(gone.groups, after: .seconds(200), since: start) == [])
        // It came too late: the session is in its groups again.
        try second.sessions.finish(gone, second.connection)
        #expect(try rows() == 2)
        try end(back)
    }

    @Test("nobody claims a session of which it does not share all groups, at the same broker")
    func groups() throws {
        let start = ContinuousClock.now
        try end(Daemon(fixture, having: [gone.name: gone]))
        var other = try Daemon(fixture, having: [:])
        let elsewhere = SharedSession(broker: "mqtt://other:1883", clientID: "gone", filters: gone.filters)
        for time in [0, 100, 200] {
            #expect(
                try other.claim(
                    Set(gone.groups.sorted().prefix(1)).union(elsewhere.groups), after: .seconds(time), since: start)
                    == [])
        }
    }

    @Test("a session that gets other subscriptions, or others than before, is written down anew")
    func recorded() throws {
        let other = SharedSession(broker: Self.broker, clientID: "other", filters: ["$share/g/a/+"])
        let daemon = try Daemon(fixture, having: [gone.name: gone, other.name: other])
        #expect(try rows() == 3)
        let fewer = SharedSession(broker: Self.broker, clientID: "gone", filters: ["$share/g/a/+"])
        try daemon.sessions.record([gone.name: fewer], daemon.connection)
        #expect(try rows() == 2)
        try daemon.sessions.record([gone.name: nil], daemon.connection)
        #expect(try rows() == 1)
    }
}
