import Foundation
import LibPQ
import Testing
import WindrowTestSupport

private func windrow(_ arguments: String...) throws -> Command.Result {
    try Command.run(Project.program("windrow"), arguments)
}

@Suite struct StartTests {
    @Test("without PostgreSQL at the start, messages are accepted, and stored when it comes")
    func noPostgres() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try sandbox.stop(.postgres)
        try station.daemon.start()
        try waitUntil("the daemon accepts messages") {
            let body = try station.daemon.get("/readyz").body
            return body.contains("postgres") && !body.contains("broker")
        }
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/t")
        try waitUntil("the message is accepted") { try station.daemon.metric("windrow_records_total") == 1 }
        try station.daemon.waitUntilLogged("cannot prepare the database")
        try sandbox.start(.postgres)
        try station.waitUntilStored([time(0): 1])
    }

    @Test("without a broker at the start, the daemon says so and connects when it comes")
    func noBroker() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try sandbox.stop(.mosquitto)
        try station.daemon.start()
        try waitUntil("the missing broker is told") { try station.daemon.get("/readyz").body.contains("broker") }
        try station.daemon.waitUntilLogged("broker connection failed")
        try sandbox.start(.mosquitto)
        try station.daemon.waitUntilReady()
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1])
    }

    @Test("missing privileges are told with what to do, and the daemon goes on once they are granted")
    func privileges() throws {
        let station = try Station()
        let superuser = try Connection(station.database + " user=postgres", applicationName: "windrow tests")
        let database = superuser.database
        try superuser.script("ALTER DATABASE \(database) OWNER TO postgres")
        let check = try windrow("check", "--config", station.daemon.configuration)
        #expect(check.status == 78)
        #expect(check.output.contains("GRANT CREATE ON DATABASE"))
        try station.daemon.start()
        try station.daemon.waitUntilLogged("permission denied")
        try superuser.script("GRANT CREATE ON DATABASE \(database) TO windrow")
        try station.daemon.waitUntilReady()
    }

    @Test("a second daemon on the same journal ends with 78 and says why")
    func secondDaemon() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let second = try DaemonProcess(
            domains: String(
                try String(contentsOfFile: station.daemon.configuration, encoding: .utf8).split(
                    separator: "domains:\n")[1]),
            journal: station.daemon.path + "/journal")
        try second.start()
        #expect(try second.waitForExit() == 78)
        #expect(second.log.contains("another process has this journal open"))
    }

    @Test("an admin port in use ends the daemon with 78 and says what to do")
    func adminPort() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let text = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        let folder = try TemporaryFolder()
        let other = try folder.write(
            text.replacingOccurrences(of: station.daemon.path, with: folder.path)
                .replacingOccurrences(of: "client_id: ", with: "client_id: other-"), to: "windrow.yaml")
        let result = try windrow("run", "--config", other)
        #expect(result.status == 78)
        #expect(result.errors.contains("http.admin: cannot listen on 127.0.0.1:\(station.daemon.adminPort)"))
        // It must not have connected: with the same client id it would have taken over the session.
        #expect(!result.errors.contains("connected"))
    }

    @Test("a wrong configuration ends with 78, file, line and what was expected; wrong usage with 64")
    func configuration() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("domains:\n  demo:\n    postgress: host=x\n", to: "windrow.yaml")
        let result = try windrow("run", "--config", file)
        #expect(result.status == 78)
        #expect(result.errors.contains("\(file):3:"))
        #expect(result.errors.contains("postgres"))
        #expect(try windrow("run", "--config", folder.path + "/none.yaml").status == 78)
        #expect(try windrow("run", "--no-such-option").status == 64)
        #expect(try windrow("--version").status == 0)
    }

    @Test("a journal folder that cannot be written ends the daemon with 78 and says what to do")
    func readOnlyJournal() throws {
        let daemon = try DaemonProcess(
            domains: """
                  demo:
                    postgres: host=127.0.0.1 port=1
                    mqtt: [{broker: "mqtt://127.0.0.1:1", client_id: c, subscriptions: [{topic: "n/{node}/{tag}"}]}]
                """, journal: "/proc/windrow")
        try daemon.start()
        #expect(try daemon.waitForExit() == 78)
        #expect(daemon.log.contains("journal.directory"))
    }

    @Test("a second signal ends at once, and what was accepted is stored by the next start")
    func secondSignal() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try station.daemon.startAndWait()
        // A server that hangs holds a graceful stop up.
        let postmaster = try #require(sandbox.postgresPID)
        let backends = try Command.require("pgrep", ["-P", "\(postmaster)"]).split(separator: "\n").compactMap {
            Int32($0)
        }
        for process in backends + [postmaster] { kill(process, SIGSTOP) }
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/t")
        try waitUntil("the message is accepted") { try station.daemon.metric("windrow_records_total") == 1 }
        station.daemon.signal(SIGTERM)
        try station.daemon.waitUntilLogged("stopping")
        station.daemon.signal(SIGTERM)
        #expect(try station.daemon.waitForExit(timeout: .seconds(5)) == 128 + SIGTERM)
        for process in backends + [postmaster] { kill(process, SIGCONT) }
        try station.daemon.startAndWait()
        try station.waitUntilStored([time(0): 1])
    }
}

@Suite struct CheckTests {
    @Test("check tells each part in a line, ends with 0 when all is well, and leaves the daemon's session alone")
    func good() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let result = try windrow("check", "--config", station.daemon.configuration)
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.split(separator: "\n").allSatisfy { $0.hasPrefix("ok ") })
        #expect(!station.daemon.log.contains("broker connection failed"))
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1])
    }

    @Test("check ends with 69 when a server is away")
    func away() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try sandbox.stop(.mosquitto)
        try sandbox.stop(.postgres)
        let result = try windrow("check", "--config", station.daemon.configuration)
        #expect(result.status == 69, "\(result.output)")
        #expect(result.output.split(separator: "\n").filter { $0.hasPrefix("down") }.count == 2, "\(result.output)")
    }
}

@Suite struct MigrateTests {
    @Test("migrate makes the schema, is idempotent, and --print shows SQL that makes the same")
    func migrate() throws {
        let station = try Station()
        let configuration = station.daemon.configuration
        let first = try windrow("migrate", "--config", configuration)
        #expect(first.status == 0)
        #expect(first.output == "demo: schema windrow is now at version 1, storage engine plain\n")
        #expect(
            try windrow("migrate", "--config", configuration).output
                == "demo: schema windrow was at version 1, storage engine plain\n")

        let printed = try windrow("migrate", "--print", "--config", configuration)
        #expect(printed.status == 0)
        let other = try Sandbox.shared.makeDatabase()
        try Command.require("psql", ["--dbname", other, "--set", "ON_ERROR_STOP=1"], input: Data(printed.output.utf8))
        let columns =
            "SELECT table_name || column_name || data_type FROM information_schema.columns WHERE table_schema = 'windrow' ORDER BY 1"
        func shape(_ database: String) throws -> [String] {
            let rows = try Connection(database, applicationName: "windrow tests").execute(columns)
            return try (0..<rows.count).map { try rows.text($0, 0) }
        }
        #expect(try shape(other) == shape(station.database))
    }
}
