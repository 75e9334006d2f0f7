import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite(.serialized) struct AdoptionTests {
    @Test(
        "what waits for a daemon that was killed goes to another of its groups after a while, and what comes later does so at once; back again, it gets its share"
    )
    func killed() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        try twins.startAndWait()
        try twins.waitUntilTold()
        // They are sent to it, and it acknowledges none.
        twins.first.signal(SIGSTOP)
        try twins.publish(0..<1000)
        try twins.first.kill()
        try twins.publish(1000..<2000)
        try waitUntil("the other one has its share") { try twins.count() == 1000 }
        try waitUntil("it has the first one's, too", timeout: .seconds(40)) { try twins.count() == 2000 }
        try waitUntil("it says so") {
            twins.second.log.contains("took over what the broker kept for a daemon that is gone")
                && twins.second.log.contains("as \(twins.clientID(0))\" messages=1000")
        }
        try twins.publish(2000..<3000)
        try waitUntil("all goes to the one that is there", timeout: .seconds(5)) { try twins.count() == 3000 }
        try twins.first.startAndWait()
        try twins.publish(3000..<3100)
        try waitUntil("all is stored") { try twins.count() == 3100 }
        #expect(try twins.received(twins.first) > 0)
        #expect(!twins.second.log.contains("error"), "\(twins.second.log)")
        try twins.checkAccounting()
    }

    @Test("a daemon that lives without its database loses nothing by being taken for one that is gone")
    func mistaken() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        let administrator = try Connection(twins.database + " user=postgres", applicationName: "windrow tests")
        let role = "\(twins.root)_first"
        try administrator.script("CREATE ROLE \(role) LOGIN IN ROLE windrow")
        try twins.first.edit("user=windrow", to: "user=\(role)")
        // The schema is the second one's.
        for daemon in twins.daemons.reversed() { try daemon.startAndWait() }
        try twins.waitUntilTold()
        // One after the other: in one transaction it could be back before it may not.
        try administrator.script("ALTER ROLE \(role) NOLOGIN")
        try administrator.script("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(role)'")
        try twins.publish(0..<1000)
        // Which breaks its connection.
        try waitUntil("its session is taken over") {
            try twins.first.metric("windrow_broker_connections_total") ?? 0 > 1
        }
        try twins.publish(1000..<2000)
        try administrator.script("ALTER ROLE \(role) LOGIN")
        try waitUntil("all is stored", timeout: .seconds(20)) { try twins.count() == 2000 }
        try twins.waitUntilTold()
        let connections = twins.first.log.components(separatedBy: ": subscribed").count - 1
        #expect(connections <= 3, "\(twins.first.log)")
    }
}
