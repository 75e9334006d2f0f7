import Foundation
import LibPQ
import Testing
import WindrowTestSupport

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
        // An idle one has closed it at once; this one asks every 5 s.
        try waitUntil("the connection is used again", timeout: .seconds(20)) {
            try connection.execute(
                """
                SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'windrow catalog'
                AND query_start - backend_start > interval '4 s'
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
        try twins.second.waitUntilLogged("another windrow uses this client id")
        #expect(twins.second.log.contains("other=\"windrow catalog from 127.0.0.1"), "\(twins.second.log)")
        try twins.second.waitUntilLogged("another client uses this client id, and the broker gives it the session")
        let connections = twins.daemons.reduce(0) { $0 + $1.log.components(separatedBy: ": subscribed").count - 1 }
        #expect(connections < 15, "\(twins.first.log)\n\(twins.second.log)")
        try twins.first.stop()
        try twins.second.waitUntilReady(timeout: .seconds(30))
        try twins.second.waitUntilLogged("no other windrow uses this client id any more")
    }

    @Test(
        "two idle daemons with one client id, whom the database does not tell of each other, say what seems to be wrong, once, and calm down"
    )
    func idleRivals() throws {
        let twins = try Twins(clientIDs: ["", ""]) { _, root in "          - topic: \(root)/{node}/{tag}" }
        try twins.first.startAndWait()
        try waitUntil("the first is idle") {
            try Connection(twins.database, applicationName: "windrow tests").execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'windrow cat%'"
            ).count == 0
        }
        try twins.second.start()
        for daemon in twins.daemons {
            try daemon.waitUntilLogged("another client seems to use this client id; each needs one of its own")
        }
        let subscribed = twins.daemons.map { $0.log.components(separatedBy: ": subscribed").count - 1 }
        // They go on to take it from each other, ever more seldom, and say no more of it.
        func connections() throws -> Double {
            try twins.daemons.reduce(0) { $0 + (try $1.metric("windrow_broker_connections_total") ?? .nan) }
        }
        let before = try connections()
        try waitUntil("one has taken the session again", timeout: .seconds(40)) { try connections() > before }
        for (place, daemon) in twins.daemons.enumerated() {
            #expect(daemon.log.components(separatedBy: " error ").count - 1 <= 3, "\(daemon.log)")
            #expect(daemon.log.components(separatedBy: "seems to use this client id").count == 2, "\(daemon.log)")
            #expect(daemon.log.components(separatedBy: ": subscribed").count - 1 == subscribed[place], "\(daemon.log)")
        }
        #expect(try connections() < 15)
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
