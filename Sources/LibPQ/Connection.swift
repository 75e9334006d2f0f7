internal import CLibPQ

/// One connection to a PostgreSQL server, through libpq.
///
/// The invariants. After every call the connection is either idle on the protocol level, with all results read, or
/// closed: an error that leaves its state unknown closes it, and `isUsable` tells. And no call but `init` waits
/// longer than `statementTimeout` plus `grace`, or `patience`, for a server that gives no sign: the server's own
/// `statement_timeout` comes first and is kind `server`, `queryCanceled`; this side's deadline is for a server or a network that hangs,
/// and is kind `timedOut`. The waiting is `poll(2)` on libpq's socket in nonblocking mode.
///
/// Not Sendable: one handle, one thread at a time.
public final class Connection {
    /// How long a call waits for a sign of the server; nil for `statementTimeout` plus `grace`. For one who had rather ask another host
    /// soon: what the server is doing then goes on there, and may take effect.
    public var patience: Duration?
    /// How much longer than the server's own limit this side waits. Tests shorten it.
    var grace = Duration.seconds(5)

    /// libpq's PGconn; nil once closed. Only `close` frees it.
    private(set) var handle: OpaquePointer?

    /// Ends what this connection waits for.
    public let interrupter: Interrupter
    /// The longest that the server lets a statement run.
    public let statementTimeout: Duration
    /// The host that was reached, of several perhaps: name, address or socket folder.
    public let host: String
    /// Which of the connection string's hosts was reached; 0 for the first.
    public let hostPlace: Int
    /// The port that was reached, also part of a socket's name.
    public let port: String
    /// The database's name.
    public let database: String
    /// PostgreSQL's numbering: 150018 is 15.18.
    public let serverVersion: Int
    /// Process id of the server's backend, as in `pg_stat_activity`.
    public let backendID: Int32

    /// Connects and waits for it, at most `connect_timeout` (5 s; of several hosts 2 s each) for each host that the connection string
    /// names.
    ///
    /// - Parameters:
    ///   - conninfo: a libpq connection string, `key=value …` or a URI (PostgreSQL documentation, 34.1.1). It overrides
    ///     these defaults: `connect_timeout=5`, `application_name`, keepalives after 30 s, every 10 s, three times,
    ///     `tcp_user_timeout=30000`, `target_session_attrs=read-write`. Where it names several hosts, another one may have taken
    ///     over: `connect_timeout=2`, keepalives after 3 s, every second, three times, `tcp_user_timeout=6000`. The session is
    ///     always in UTF-8, and its transactions are READ COMMITTED unless they say otherwise, whatever the role's default is.
    ///   - applicationName: shown in `pg_stat_activity`.
    ///   - firstHost: which of several hosts is tried first; the others follow in their order.
    ///   - statementTimeout: set on the server as `statement_timeout`; 1 ms to 24 days. The server, too, is told to end the session
    ///     when this host is silent for a minute.
    /// - Throws: `usage` for a malformed connection string; `connectionFailed`, the message with a part for each host;
    ///   or as `execute` if setting the timeout fails.
    public init(
        _ conninfo: String, applicationName: String, statementTimeout: Duration = .seconds(60), firstHost: Int = 0
    ) throws(PostgresError) {
        let hosts = try ConnectionString.hosts(conninfo)
        let handle = try Self.connect(conninfo, hosts, firstHost: firstHost, applicationName: applicationName)
        self.handle = handle
        interrupter = Interrupter(socket: PQsocket(handle))
        self.statementTimeout = min(max(statementTimeout, .milliseconds(1)), .milliseconds(Int32.max))
        // libpq owns these strings.
        host = PQhost(handle).map { String(cString: $0) } ?? ""
        port = PQport(handle).map { String(cString: $0) } ?? ""
        hostPlace = hosts.place(host: host, port: port)
        database = PQdb(handle).map { String(cString: $0) } ?? ""
        serverVersion = Int(PQserverVersion(handle))
        backendID = PQbackendPID(handle)
        // If it throws, deinit closes: everything is initialized by now.
        if hosts.count > 1 { patience = Self.patienceOfSeveral }
        _ = try run(settings, .connect)
        patience = nil
    }

    /// Of the session. A server that does not notice that this host is gone would keep its locks for hours. Who has waited for a lock
    /// must see what the one before has committed, whatever the role's default isolation is.
    private var settings: String {
        var settings = [
            "statement_timeout = \(statementTimeout.milliseconds)", "tcp_keepalives_idle = 30",
            "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3",
            "default_transaction_isolation = 'read committed'",
        ]
        if serverVersion >= 120_000 { settings.append("tcp_user_timeout = 60000") }
        return settings.map { "SET \($0)" }.joined(separator: "; ")
    }

    deinit { close() }

    /// Of several hosts each is given so long to answer.
    static let patienceOfSeveral = Duration.seconds(2)

    /// How many hosts a connection string names; 1 when it cannot be read.
    public static func hostCount(of conninfo: String) -> Int {
        do throws(PostgresError) {
            return max(1, try ConnectionString.hosts(conninfo).count)
        } catch {
            // Whoever connects is told.
            return 1
        }
    }

    /// Where this connection goes, for logs: `host:port/database`.
    public var endpoint: String { "\(host):\(port)/\(database)" }

    /// Whether the next statement may succeed. A server that went away since the last call shows only then.
    public var isUsable: Bool { handle != nil }

    /// Says goodbye to the server and frees the connection, without waiting. A transaction under way is rolled back by
    /// the server when it notices. Harmless on a closed connection.
    public func close() {
        interrupter.end()
        PQfinish(handle)
        handle = nil
    }
}
