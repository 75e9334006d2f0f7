import LibPQ

/// Who holds an advisory lock that tells of a daemon: a session of PostgreSQL.
struct PresenceHolder: Hashable, Sendable, CustomStringConvertible {
    /// Of PostgreSQL's process.
    var processID: Int32
    /// Where it is connected from; nil for a Unix socket, and where this role may not see it.
    var address: String?
    var application: String?
    var since: Timestamp?

    /// Such as `windrow catalog from 10.0.0.7, connected since 2026-01-01T00:00:00Z (PostgreSQL's process 4711)`.
    var description: String {
        "\(application ?? "a session") from \(address ?? "a local socket or a role of its own")"
            + (since.map { ", connected since \($0)" } ?? "") + " (PostgreSQL's process \(processID))"
    }
}

/// The advisory locks of one connection that tell other daemons of this one's sessions and groups, see `Presence`.
///
/// A lock is of this database: daemons that write to different databases do not know of each other.
struct PresenceLocks {
    /// The version of the orders that were followed last; 0 when there is none.
    private(set) var version = 0
    /// The sessions whose locks are held.
    private(set) var sessions: Set<String> = []
    /// The groups whose locks are held.
    private(set) var groups: Set<String> = []
    private var hasRun = false

    /// SQL of a lock's key.
    static func key(_ kind: String, _ name: String) -> String {
        "hashtextextended('windrow \(kind) ' || \(name), 0)"
    }

    /// Takes and gives back locks.
    /// - Parameter run: tells this run of the daemon from all others.
    /// - Returns: sessions that somebody else has.
    mutating func follow(
        _ orders: Presence.Orders, run: String, _ connection: Connection
    ) throws(PostgresError) -> Set<String> {
        if !hasRun, !orders.sessions.isEmpty {
            // Shared: another domain of this daemon may use the same database.
            try connection.execute("SELECT pg_try_advisory_lock_shared(\(Self.key("run", "$1")))", [.text(run)])
            hasRun = true
        }
        let all = Set(orders.sessions.keys)
        try call("pg_advisory_unlock", "session", sessions.subtracting(all), connection)
        sessions.formIntersection(all)
        sessions.formUnion(try call("pg_try_advisory_lock", "session", all.subtracting(sessions), connection))
        let wanted = wanted(orders)
        try call("pg_advisory_unlock_shared", "group", groups.subtracting(wanted), connection)
        groups.formIntersection(wanted)
        groups.formUnion(try call("pg_try_advisory_lock_shared", "group", wanted.subtracting(groups), connection))
        version = orders.version
        return all.subtracting(sessions)
    }

    /// Whether something could not be had, and is worth another try.
    func lacks(_ orders: Presence.Orders) -> Bool { sessions != Set(orders.sessions.keys) || groups != wanted(orders) }

    /// The groups of this daemon's own sessions: what another daemon does with its client id counts as that one's.
    private func wanted(_ orders: Presence.Orders) -> Set<String> {
        orders.groups.reduce(into: []) { all, entry in
            if sessions.contains(entry.key) { all.formUnion(entry.value) }
        }
    }

    /// Gives back the locks of the groups that somebody else is in as well.
    ///
    /// Two who leave at the same time must not leave to each other: they do it one after the other.
    /// - Returns: the groups.
    mutating func leave(
        _ leaving: Presence.Leaving, _ connection: Connection
    ) throws(PostgresError) -> Set<String> {
        // Whoever has the session will go on with it.
        guard sessions.contains(leaving.session) else { return [] }
        var left: Set<String> = []
        for group in leaving.groups.sorted() {
            let isLeft = try connection.transaction { () throws(PostgresError) -> Bool in
                try connection.execute("SELECT pg_advisory_xact_lock(\(Self.key("leaving", "$1")))", [.text(group)])
                let others = try Self.holders(of: [group], kind: "group", connection)
                guard !others.isEmpty else { return false }
                try connection.execute(
                    "SELECT pg_advisory_unlock_shared(\(Self.key("group", "$1")))", [.text(group)])
                return true
            }
            guard isLeft else { continue }
            groups.remove(group)
            left.insert(group)
        }
        return left
    }

    /// Which of the names the function says yes to.
    @discardableResult
    private func call(
        _ function: String, _ kind: String, _ names: Set<String>, _ connection: Connection
    ) throws(PostgresError) -> Set<String> {
        if names.isEmpty { return [] }
        let rows = try connection.execute(
            "SELECT w.name FROM unnest($1::text[]) AS w (name) WHERE \(function)(\(Self.key(kind, "w.name")))",
            [.textArray(names.sorted())])
        var done: Set<String> = []
        for row in 0..<rows.count { done.insert(try rows.text(row, 0)) }
        return done
    }

    // MARK: Others

    /// Who else has these sessions.
    /// - Parameter run: of a daemon that does not count.
    static func holders(
        ofSessions names: Set<String>, exceptRun run: String? = nil, _ connection: Connection
    ) throws(PostgresError) -> [String: PresenceHolder] {
        var found = try holders(of: names, kind: "session", connection)
        guard let run, !found.isEmpty else { return found }
        let own = try connection.execute(
            "SELECT pid FROM \(held) WHERE key = \(key("run", "$1"))", [.text(run)])
        for row in 0..<own.count {
            let processID = try own.int32(row, 0)
            found = found.filter { $0.value.processID != processID }
        }
        return found
    }

    /// SQL: the advisory locks that somebody has, and their keys.
    static let held = """
        (SELECT pid, classid::bigint << 32 | objid::bigint AS key FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS held
        """

    private static func holders(
        of names: Set<String>, kind: String, _ connection: Connection
    ) throws(PostgresError) -> [String: PresenceHolder] {
        if names.isEmpty { return [:] }
        let rows = try connection.execute(
            """
            SELECT w.name, held.pid, host(a.client_addr), a.application_name, a.backend_start
            FROM unnest($1::text[]) AS w (name) JOIN \(held) ON held.key = \(key(kind, "w.name"))
            LEFT JOIN pg_stat_activity a ON a.pid = held.pid
            WHERE held.pid <> pg_backend_pid()
            """, [.textArray(names.sorted())])
        var holders: [String: PresenceHolder] = [:]
        for row in 0..<rows.count {
            holders[try rows.text(row, 0)] = PresenceHolder(
                processID: try rows.int32(row, 1), address: try rows.optionalText(row, 2),
                application: try rows.optionalText(row, 3),
                since: try rows.optionalTimestamp(row, 4).map(Timestamp.init(microseconds:)))
        }
        return holders
    }
}
