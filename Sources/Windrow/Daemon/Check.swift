import Glibc
import LibPQ
import Mosquitto

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

    public init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// Checks everything, telling each finding as soon as it is known.
    public func run(_ report: (Finding) -> Void) {
        for domain in configuration.domains {
            report(checkJournal(domain))
            for finding in checkDatabase(domain) { report(finding) }
            for broker in domain.brokers { report(BrokerCheck(domain: domain.name, broker: broker).run()) }
        }
    }

    private func checkJournal(_ domain: Configuration.Domain) -> Finding {
        let folder = configuration.journal.directory + "/" + domain.name
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
            return [reached, try checkSchema(schema, domain, connection)]
        } catch {
            let isDown = error.endsConnection
            return [Finding(verdict: isDown ? .unreachable : .wrong, subject: subject, message: error.description)]
        }
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
            ("series", "INSERT"), ("node", "SELECT"), ("progress", "SELECT"), ("progress", "INSERT"),
            ("progress", "UPDATE"),
            ("progress", "DELETE"),
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

/// Connects and subscribes as the daemon would, in a session of its own that ends with the check: the daemon's session, which may
/// be in use, is left alone.
private final class BrokerCheck: ClientHandler {
    private let domain: String
    private let broker: Configuration.Broker
    private unowned var client: Client!
    private var results: [SubscriptionResult]?
    private var failure: MosquittoError?

    private static let patience = Duration.seconds(10)

    init(domain: String, broker: Configuration.Broker) {
        self.domain = domain
        self.broker = broker
    }

    func run() -> Check.Finding {
        let subject = "\(domain) broker \(broker.address)"
        do throws(MosquittoError) {
            guard let results = try subscribe() else {
                return Check.Finding(
                    verdict: .unreachable, subject: subject,
                    message: "does not answer the subscription within \(Self.patience)")
            }
            let refused = zip(broker.subscriptions, results).compactMap { subscription, result in
                if case .refused(let reason) = result { "\(subscription.topic.filter) (\(reason))" } else { nil }
            }
            if refused.isEmpty {
                return Check.Finding(
                    verdict: .good, subject: subject,
                    message:
                        "connected, subscribed to \(broker.subscriptions.map(\.topic.filter).joined(separator: " "))")
            }
            return Check.Finding(
                verdict: .wrong, subject: subject,
                message:
                    "refuses the subscription to \(refused.joined(separator: ", ")); allow it in the broker's access list"
            )
        } catch {
            let isSetUp = error.code == .refused || error.code == .tls || error.code == .invalid
            return Check.Finding(verdict: isSetUp ? .wrong : .unreachable, subject: subject, message: error.description)
        }
    }

    /// nil when no answer comes in time.
    private func subscribe() throws(MosquittoError) -> [SubscriptionResult]? {
        var options = Client.Options(broker)
        options.clientID += "-check"
        options.sessionExpirySeconds = 0
        // What it is sent, it does not acknowledge.
        options.receiveMaximum = 1
        let client = try Client(options, handler: self)
        self.client = client
        defer { client.abandon() }
        try client.connect()
        let deadline = ContinuousClock.now + Self.patience
        while results == nil, ContinuousClock.now < deadline {
            var entry = pollfd(
                fd: client.fileDescriptor ?? -1, events: Int16(POLLIN | (client.wantsWrite ? POLLOUT : 0)), revents: 0)
            poll(&entry, 1, 200)
            _ = try client.read(limit: 1)
            if let failure { throw failure }
            try client.keepAlive()
            // Before the answer is there nothing has come that could be acknowledged.
            if results == nil { try client.write() }
        }
        return results
    }

    func connected(sessionPresent: Bool) {
        do throws(MosquittoError) {
            try client.subscribe(broker.subscriptions.map { Self.withOwnGroup($0.topic.filter) }, retained: .never)
        } catch {
            failure = error
        }
    }

    func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {
        self.results = results
    }

    func unsubscribed(_ messageID: MessageID) {}
    func received(_ message: borrowing Message) {}

    /// In the group of a shared subscription a check would take the daemon's messages.
    private static func withOwnGroup(_ filter: String) -> String {
        guard filter.hasPrefix("$share/") else { return filter }
        let levels = filter.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        return "\(levels[0])/\(levels[1])-check/\(levels[2])"
    }
}
