import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite(.serialized) struct HandingOverTests {
    @Test(
        "a daemon that is stopped takes what it was assigned, and all that comes later goes to the others at once; the last one stays subscribed"
    )
    func stopped() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        try twins.startAndWait()
        try twins.waitUntilTold()
        // What it is assigned while it cannot read waits for it alone.
        twins.first.signal(SIGSTOP)
        try twins.publish(0..<4000)
        twins.first.signal(SIGTERM)
        twins.first.signal(SIGCONT)
        #expect(try twins.first.waitForExit() == 0)
        #expect(twins.first.log.contains("unsubscribed from what others serve"), "\(twins.first.log)")
        try waitUntil("nothing waits for the first one") { try twins.count() == 4000 }

        try twins.publish(4000..<5000)
        try waitUntil("the second one gets all that comes", timeout: .seconds(20)) { try twins.count() == 5000 }

        // Nobody else is there: the broker has to keep what comes.
        #expect(try twins.second.stop() == 0)
        #expect(twins.second.log.contains("stays subscribed while it is stopped"), "\(twins.second.log)")
        try twins.publish(5000..<6000)
        try twins.second.startAndWait()
        try waitUntil("what came meanwhile is stored") { try twins.count() == 6000 }

        // Back again, the first one gets its share.
        try twins.first.startAndWait()
        #expect(try twins.received(twins.first) == 0)
        try twins.publish(6000..<6100)
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
        try twins.publish(0..<100)
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
        // Of series that are looked up.
        try twins.publish(0..<10)
        for daemon in twins.daemons {
            try waitUntil("it is noticed") { try daemon.get("/readyz").status == 503 }
        }
        #expect(try twins.first.stop() == 0)
        #expect(twins.first.log.contains("stays subscribed while it is stopped"))
        try twins.publish(10..<100)
        try sandbox.start(.postgres)
        try twins.first.startAndWait()
        try waitUntil("all is stored", timeout: .seconds(20)) { try twins.count() == 100 }

        // Nor can it tell the broker where that is away.
        try sandbox.stop(.mosquitto)
        try waitUntil("it is noticed") { try twins.first.get("/readyz").status == 503 }
        #expect(try twins.first.stop() == 0)
        #expect(twins.first.log.contains("stopped without a connection to the broker"), "\(twins.first.log)")
    }

    @Test("a busy domain of many tells of its groups again soon after its connection to PostgreSQL has broken")
    func busy() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        // The turn of each to look at an idle database comes in as many seconds as there are domains.
        let idle = (1...20).map {
            "  idle\($0): {postgres: \"\(twins.database)\", schema: idle\($0), keys_file: demo.keys}\n"
        }
        try twins.first.edit("\ndomains:\n", to: "\ndomains:\n" + idle.joined())
        try twins.first.startAndWait()
        let load = LoadFlag()
        let gateway = Clients([
            { [port = twins.mqttPort, root = twins.root] in
                while !load.isDone {
                    try BacklogPublisher(port: port).publish(1) { _ in ("\(root)/1/t", "1") }
                    usleep(100_000)
                }
            }
        ])
        defer { load.end() }
        try waitUntil("it stores") { try twins.count() > 0 }
        try twins.waitUntilTold(1)
        let before = try twins.telling()
        let connection = try Connection(twins.database, applicationName: "windrow tests")
        try connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'windrow catalog'"
        )
        try waitUntil("a new session tells", timeout: .seconds(8)) {
            let telling = try twins.telling()
            return telling.count == 1 && telling != before
        }
        load.end()
        try gateway.wait()
    }

    @Test(
        "a session that a reload gives up and another one takes back at once is out of its groups before it is in them again"
    )
    func takenBack() throws {
        let sandbox = try Sandbox()
        let twins = try Twins(sandbox: sandbox) { _, root in Twins.shared(root) }
        let daemon = twins.first
        try daemon.startAndWait()
        try twins.waitUntilTold(1)
        // While it cannot be told whether others are in the group, the session is not ended.
        sandbox.freezePostgres()
        let (own, other) = ("client_id: \(twins.clientID(0))", "client_id: \(twins.root)-other")
        // Another group: nothing that is published below goes to the session that is left behind.
        let (group, otherGroup) = ("$share/\(twins.root)/", "$share/\(twins.root)-other/")
        try daemon.edit(own, to: other)
        try daemon.edit(group, to: otherGroup)
        daemon.signal(SIGHUP)
        try daemon.waitUntilLogged("the session is given up")
        try daemon.edit(other, to: own)
        try daemon.edit(otherGroup, to: group)
        daemon.signal(SIGHUP)
        try daemon.waitUntilLogged("stays subscribed while it is stopped")
        for process in sandbox.postgresProcesses() { kill(process, SIGCONT) }
        let session = "mqtt://127.0.0.1:\(sandbox.mqttPort) as \(twins.clientID(0))"
        try waitUntil("the session is there", timeout: .seconds(10)) {
            try daemon.metric(#"windrow_broker_connected{domain="demo",broker="\#(session)"}"#) == 1
        }
        try daemon.waitUntilReady()
        try twins.waitUntilTold(1)
        try twins.publish(0..<100)
        try waitUntil("all is stored") { try twins.count() == 100 }
    }

    @Test("messages that the broker assigns to a daemon that was killed wait for it, and are stored when it is back")
    func killed() throws {
        let twins = try Twins { _, root in Twins.shared(root) }
        try twins.startAndWait()
        try twins.first.kill()
        try twins.publish(0..<1000)
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
        try twins.publish(0..<1000)
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
