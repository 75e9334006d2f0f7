import Foundation
import LibPQ
import WindrowTestSupport

/// The private PostgreSQL that these tests run against: the one place that knows where it comes from.
enum TestDatabase {
    /// `key=value` pairs, so that a test can override one by appending it.
    static let conninfo = Sandbox.shared.conninfo()

    static func connect(
        _ overrides: String = "", statementTimeout: Duration = .seconds(60)
    ) throws(PostgresError) -> Connection {
        try Connection(
            conninfo + " " + overrides, applicationName: "windrow-tests", statementTimeout: statementTimeout)
    }

    static func superuser() throws(PostgresError) -> Connection { try connect("user=postgres") }

    /// Makes the server ask this role for a password, and gives it one.
    static func createRole(_ role: String, password: String) throws {
        let connection = try superuser()
        let file = try connection.execute("SHOW hba_file").text(0, 0)
        let rule = "host all \(role) 127.0.0.1/32 scram-sha-256\n"
        let rules = try String(contentsOfFile: file, encoding: .utf8)
        if !rules.hasPrefix(rule) {
            // Written in place: the file stays the server user's.
            try (rule + rules).write(toFile: file, atomically: false, encoding: .utf8)
        }
        try connection.script(
            "DROP ROLE IF EXISTS \(role); CREATE ROLE \(role) LOGIN PASSWORD '\(password)'; SELECT pg_reload_conf()")
        // The postmaster reads the rules in its own time; until then it trusts everybody.
        let limit = ContinuousClock.now + .seconds(10)
        while (try? connect("user=\(role) password=not-\(password)")) != nil {
            guard ContinuousClock.now < limit else { throw FixtureError("the server keeps trusting \(role)") }
            usleep(20_000)
        }
    }
}
