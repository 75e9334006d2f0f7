import LibPQ

/// The shared sessions of all daemons at a database: those whose daemon is gone are claimed by one that is there.
///
/// A daemon writes down its own, and holds a lock on each while it is there (see `PresenceLocks`). A claim is a lock, too, so that it ends
/// with the connection.
struct SharedSessions {
    private let table: String
    /// Since when nobody has held the session's lock, as far as this connection has seen.
    private var missingSince: [SharedSession: ContinuousClock.Instant] = [:]
    /// With the time of the last try to take over what waits there.
    private var claimed: [SharedSession: ContinuousClock.Instant] = [:]

    /// Longer than a restart takes, and than daemons need to be back at a database that was away.
    static let patience = Duration.seconds(10)
    /// Between two tries.
    private static let retryPause = Duration.seconds(60)

    init(schema: Schema) {
        table = schema.qualified("shared_session")
    }

    /// Writes down which of this daemon's sessions others may take over.
    /// - Parameter own: all of its sessions of which it holds the locks, by name; nil for one that is nobody else's business.
    func record(_ own: [String: SharedSession?], _ connection: Connection) throws(PostgresError) {
        let shared = own.values.compactMap(\.self)
        let rows = shared.flatMap { session in session.filters.sorted().map { (session.broker, session.clientID, $0) } }
        let columns: [Parameter] = [.textArray(rows.map(\.0)), .textArray(rows.map(\.1)), .textArray(rows.map(\.2))]
        try connection.execute(
            """
            DELETE FROM \(table) s WHERE s.broker || ' as ' || s.client_id = ANY ($4) AND NOT EXISTS (
                SELECT FROM unnest($1::text[], $2::text[], $3::text[]) AS o (broker, client_id, filter)
                WHERE (o.broker, o.client_id, o.filter) = (s.broker, s.client_id, s.filter))
            """, columns + [.textArray(own.keys.sorted())])
        try connection.execute(
            "INSERT INTO \(table) SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING",
            columns)
    }

    /// Claims sessions that have been without a daemon for a while, and gives up claims on those that have one again.
    /// - Parameter groups: that this daemon is in.
    /// - Returns: sessions to take over now.
    mutating func claim(
        in groups: Set<String>, at now: ContinuousClock.Instant = .now, _ connection: Connection
    ) throws(PostgresError) -> [SharedSession] {
        let missing = try missing(connection)
        for session in claimed.keys where !missing.contains(session) { try give(up: session, connection) }
        missingSince = missingSince.filter { missing.contains($0.key) }
        var due: [SharedSession] = []
        for session in missing where session.groups.isSubset(of: groups) {
            let since = missingSince[session] ?? now
            missingSince[session] = since
            if let tried = claimed[session] {
                guard now - tried >= Self.retryPause else { continue }
            } else {
                guard now - since >= Self.patience else { continue }
                let isOurs = try connection.execute("SELECT pg_try_advisory_lock(\(Self.key))", [.text(session.name)])
                guard try isOurs.bool(0, 0) else { continue }
            }
            claimed[session] = now
            due.append(session)
        }
        return due
    }

    /// Nothing waits at the broker for the session any more, and nothing will: it is in no group.
    mutating func finish(_ session: SharedSession, _ connection: Connection) throws(PostgresError) {
        guard claimed[session] != nil else { return }
        // Its daemon may be back this moment, and in its groups again.
        try connection.execute(
            "DELETE FROM \(table) s WHERE (s.broker, s.client_id) = ($1, $2) AND NOT \(Self.isPresent)",
            [.text(session.broker), .text(session.clientID)])
        try give(up: session, connection)
    }

    private mutating func give(up session: SharedSession, _ connection: Connection) throws(PostgresError) {
        try connection.execute("SELECT pg_advisory_unlock(\(Self.key))", [.text(session.name)])
        claimed[session] = nil
    }

    /// Those of which nobody holds the lock.
    private func missing(_ connection: Connection) throws(PostgresError) -> Set<SharedSession> {
        let rows = try connection.execute(
            "SELECT s.broker, s.client_id, s.filter FROM \(table) s WHERE NOT \(Self.isPresent)")
        var filters: [SharedSession: Set<String>] = [:]
        for row in 0..<rows.count {
            let session = SharedSession(
                broker: try rows.text(row, 0), clientID: try rows.text(row, 1), filters: [])
            filters[session, default: []].insert(try rows.text(row, 2))
        }
        return Set(filters.map { SharedSession(broker: $0.broker, clientID: $0.clientID, filters: $1) })
    }

    private static let key = PresenceLocks.key("claim", "$1")
    /// The locks are looked at once, however many sessions there are.
    private static let isPresent =
        "\(PresenceLocks.key("session", "s.broker || ' as ' || s.client_id")) IN (SELECT key FROM \(PresenceLocks.held))"
}
