import Foundation
import LibPQ

/// Looks, before the daemon starts, at all that it will need: one line each.
public struct Check {
    /// One finding.
    public struct Finding: Sendable {
        public enum Verdict: String, Sendable {
            case good = "ok"
            case warning = "warn"
            /// A server does not answer: it may later.
            case unreachable = "down"
            /// The configuration or the servers' set-up has to change.
            case wrong = "FAIL"
        }

        public var verdict: Verdict
        public var subject: String
        public var message: String

        /// As `windrow check` prints it.
        public var line: String {
            "\(verdict.rawValue)\(verdict.rawValue.count < 4 ? "  " : "")  \(subject): \(message)"
        }
    }

    private let configuration: Configuration

    /// A certificate that expires within this time is worth a warning.
    private static let expiryWarning = Duration.seconds(14 * 86_400)

    public init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// Checks everything, telling each finding as soon as it is known.
    public func run(_ report: (Finding) -> Void) {
        for finding in checkReload() { report(finding) }
        if let finding = checkCertificate() { report(finding) }
        for domain in configuration.domains {
            report(checkJournal(domain))
            if let finding = checkKeys(domain) { report(finding) }
            for finding in checkDatabase(domain) { report(finding) }
            for broker in domain.brokers {
                let finding = BrokerCheck(domain: domain.name, broker: broker).run()
                report(finding)
                guard finding.verdict == .good else { continue }
                if let finding = ShareCheck(domain: domain, broker: broker).run() { report(finding) }
            }
        }
    }

    /// What a reload would change of a daemon that runs with these journals.
    private func checkReload() -> [Finding] {
        let subject = "reload"
        do {
            // One process has them all, as a rule.
            var seen: Set<String> = []
            return try configuration.domains.compactMap {
                try RunningConfiguration.read(from: configuration.journal.folder(of: $0))
            }.filter { seen.insert($0.salt).inserted }.compactMap { try $0.whole() }.flatMap {
                changes(of: $0, subject)
            }
        } catch {
            let message = "cannot tell what a reload would change: \(error.localizedDescription)"
            return [Finding(verdict: .warning, subject: subject, message: message)]
        }
    }

    private func changes(of running: RunningConfiguration, _ subject: String) -> [Finding] {
        let changes = running.changes(to: configuration)
        if changes.isEmpty {
            let message = "nothing to do, the daemon (process \(running.processID)) runs with this configuration"
            return [Finding(verdict: .good, subject: subject, message: message)]
        }
        return changes.map { change in
            switch change.effect {
            case .reload: Finding(verdict: .good, subject: subject, message: "would change \(change)")
            case .reconnect:
                Finding(
                    verdict: .good, subject: subject, message: "would change \(change); the broker is connected anew")
            case .restart:
                Finding(
                    verdict: .warning, subject: subject, message: "would not change \(change); this needs a restart")
            }
        }
    }

    private func checkJournal(_ domain: Configuration.Domain) -> Finding {
        let folder = configuration.journal.folder(of: domain)
        let subject = "\(domain.name) journal \(folder)"
        // The nearest folder that exists decides whether the rest can be made.
        var existing = folder
        while access(existing, F_OK) != 0, let slash = existing.lastIndex(of: "/"), slash > existing.startIndex {
            existing = String(existing[..<slash])
        }
        guard access(existing, W_OK | X_OK) == 0 else {
            let why = String(cString: strerror(errno))
            return Finding(
                verdict: .wrong, subject: subject,
                message: "\(existing) is not writable for this user: \(why); change its owner, or set journal.directory"
            )
        }
        var disk = statvfs()
        guard statvfs(existing, &disk) == 0 else {
            return Finding(verdict: .good, subject: subject, message: "writable")
        }
        let free = Int64(disk.f_bavail) * Int64(disk.f_frsize)
        if free < configuration.journal.maxSize {
            return Finding(
                verdict: .warning, subject: subject,
                message: "writable, but the disk has \(free >> 20) MiB free, less than journal.max_size "
                    + "(\(configuration.journal.maxSize >> 20) MiB)")
        }
        return Finding(verdict: .good, subject: subject, message: "writable, \(free >> 20) MiB free")
    }

    private func checkCertificate() -> Finding? {
        guard let files = configuration.http.tls else { return nil }
        let subject = "http.tls"
        do {
            let expiry = try ServerIdentity(files).expiry ?? .latest
            let text = "\(files.certificateFile), valid until \(expiry)"
            if expiry < .now {
                return Finding(
                    verdict: .wrong, subject: subject,
                    message:
                        "\(files.certificateFile) expired at \(expiry), and clients refuse it; put a new one in its place"
                )
            }
            let isNear = expiry.microseconds - Timestamp.now.microseconds < Self.expiryWarning.microseconds
            return Finding(verdict: isNear ? .warning : .good, subject: subject, message: text)
        } catch {
            return Finding(verdict: .wrong, subject: subject, message: "\(error)")
        }
    }

    private func checkKeys(_ domain: Configuration.Domain) -> Finding? {
        guard let path = domain.keysFile else { return nil }
        let subject = "\(domain.name) keys \(path)"
        do {
            let count = try Keys(path: path).reload()
            if count > 0 {
                return Finding(verdict: .good, subject: subject, message: "\(count) key\(count == 1 ? "" : "s")")
            }
            return Finding(
                verdict: .warning, subject: subject,
                message: "no keys, so that no HTTP client may do anything; `windrow key \(domain.name) NAME` makes one")
        } catch {
            return Finding(verdict: .wrong, subject: subject, message: "\(error)")
        }
    }

    private func checkDatabase(_ domain: Configuration.Domain) -> [Finding] {
        let subject = "\(domain.name) PostgreSQL"
        do throws(PostgresError) {
            let schema = try Schema(domain.schema)
            let connection = try DatabaseAccess(connectionString: domain.postgres, schema: schema).connect("check")
            defer { connection.close() }
            let version = connection.serverVersion
            let reached = Finding(
                verdict: version >= 130_000 ? .good : .wrong, subject: subject,
                message: "\(connection.endpoint), version \(version / 10_000).\(version % 10_000)"
                    + (version >= 130_000 ? "" : "; Windrow needs 13 or newer"))
            return try [reached, checkCommit(domain, connection), checkSchema(schema, domain, connection)]
                + StorageCheck(domain, schema).run(connection) + checkSessions(domain, connection)
        } catch {
            let isDown = error.endsConnection
            let hint = error.operation == .connect ? "; start it, or mend `postgres` in the configuration" : ""
            return [
                Finding(verdict: isDown ? .unreachable : .wrong, subject: subject, message: error.description + hint)
            ]
        }
    }

    /// Client ids that are in use, as daemons tell by way of the database: to ask the broker would take the session over.
    private func checkSessions(
        _ domain: Configuration.Domain, _ connection: Connection
    ) throws(PostgresError) -> [Finding] {
        // Beside the daemon that it is meant for, this configuration's sessions are in use.
        let running = try? RunningConfiguration.read(from: configuration.journal.folder(of: domain))
        let names = Set(domain.brokers.map(BrokerConnection.name(of:)))
        let holders = try PresenceLocks.holders(ofSessions: names, exceptRun: running?.salt, connection)
        return domain.brokers.compactMap { broker in
            holders[BrokerConnection.name(of: broker)].map { holder in
                Finding(
                    verdict: .warning, subject: "\(domain.name) broker \(broker.address)",
                    message:
                        "client id \(broker.clientID) is in use by another windrow, whose session a daemon with this "
                        + "configuration would take over: \(holder); each daemon needs a client_id of its own")
            }
        }
    }

    /// What commits wait for, and so what a failover may lose.
    private func checkCommit(_ domain: Configuration.Domain, _ connection: Connection) throws(PostgresError) -> Finding
    {
        let subject = "\(domain.name) commit \(domain.commit.rawValue)"
        let standbys = try connection.execute("SELECT current_setting('synchronous_standby_names')").text(0, 0)
        if domain.commit == .remote, !standbys.isEmpty {
            return Finding(verdict: .good, subject: subject, message: "commits wait for standbys: \(standbys)")
        }
        let why =
            domain.commit == .local
            ? "commits wait for no standby"
            : "commits wait for no standby: the server's synchronous_standby_names is empty"
        guard Connection.hostCount(of: domain.postgres.reveal) > 1 else {
            return Finding(verdict: .good, subject: subject, message: why)
        }
        let keep = configuration.journal.keep
        if keep > .zero {
            return Finding(
                verdict: .good, subject: subject,
                message: "\(why); after a failover the journal writes once more what was committed in the last "
                    + "\(DurationText.format(keep)) (journal.keep)")
        }
        return Finding(
            verdict: .warning, subject: subject,
            message: "\(why), and there are several hosts: a failover loses what the standby has not received; set "
                + (domain.commit == .local ? "commit: remote and " : "")
                + "synchronous_standby_names on the server, or journal.keep to longer than the standby may lag")
    }

    private func checkSchema(
        _ schema: Schema, _ domain: Configuration.Domain, _ connection: Connection
    ) throws(PostgresError) -> Finding {
        let subject = "\(domain.name) schema \(schema.name)"
        let installed = try schema.installedVersion(connection)
        if installed > Schema.version {
            let error = SchemaError.newer(schema: schema.name, version: installed)
            return Finding(verdict: .wrong, subject: subject, message: error.description)
        }
        if installed < Schema.version {
            let canCreate = try connection.execute("SELECT has_database_privilege(current_database(), 'CREATE')").bool(
                0, 0)
            if canCreate || installed > 0 {
                return Finding(
                    verdict: .good, subject: subject,
                    message: installed == 0
                        ? "not there yet; `windrow run` or `windrow migrate` makes it" : "will be upgraded")
            }
            return Finding(
                verdict: .wrong, subject: subject,
                message: "not there, and this user may not create it; GRANT CREATE ON DATABASE to it, or run "
                    + "`windrow migrate --print` and have an administrator apply that")
        }
        let missing = try missingPrivileges(schema, domain, connection)
        if missing.isEmpty {
            return Finding(verdict: .good, subject: subject, message: "version \(installed), all privileges")
        }
        return Finding(
            verdict: .wrong, subject: subject,
            message: "missing privileges: \(missing.joined(separator: ", ")); grant them, or make this user the owner")
    }

    private func missingPrivileges(
        _ schema: Schema, _ domain: Configuration.Domain, _ connection: Connection
    ) throws(PostgresError) -> [String] {
        var needed = [
            ("point", "SELECT"), ("point", "INSERT"), ("point", "UPDATE"), ("point", "DELETE"), ("series", "SELECT"),
            ("series", "INSERT"), ("series", "UPDATE"), ("node", "SELECT"), ("progress", "SELECT"),
            ("progress", "INSERT"), ("progress", "UPDATE"), ("progress", "DELETE"), ("shared_session", "SELECT"),
            ("shared_session", "INSERT"), ("shared_session", "DELETE"),
        ]
        if domain.unknownNodes == .create { needed.append(("node", "INSERT")) }
        var missing: [String] = []
        for (table, privilege) in needed {
            let has = try connection.execute(
                "SELECT has_table_privilege($1, $2)", [.text(schema.qualified(table)), .text(privilege)])
            if try !has.bool(0, 0) { missing.append("\(privilege) on \(schema.name).\(table)") }
        }
        return missing
    }
}
