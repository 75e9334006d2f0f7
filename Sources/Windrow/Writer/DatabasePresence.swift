import LibPQ
import Logging

/// A domain's presence at its database, on the dispatcher's connection: says to other daemons what the broker connections want said (see
/// `Presence`), and finds out what they have to know of the others.
struct DatabasePresence {
    /// What is to be done now.
    struct Errand {
        fileprivate var orders: Presence.Orders
        /// They are not followed on this connection yet, or not all of them.
        fileprivate var areNew: Bool
    }

    private let presence: Presence
    private let schema: Schema
    /// Tells this run of the daemon from all others.
    private let runID: String
    private let log: Logger

    /// Of the connection.
    private var locks = PresenceLocks()
    /// Of the connection.
    private var sharedSessions: SharedSessions
    private var attendedAt = ContinuousClock.now
    /// Of the orders, on this connection; 0 when there were none.
    private var attendedVersion = 0
    /// PostgreSQL's process of the connection, once it has locks.
    private var process: Int32?
    /// Those of earlier connections: PostgreSQL may not have noticed yet that they are gone.
    private var formerProcesses: Set<Int32> = []
    private var rivals: [String: PresenceHolder] = [:]
    /// The last one: it says nothing new every five seconds.
    private var lastFailure = ""

    /// Between two looks at what others do.
    private static let interval = Duration.seconds(5)

    init(_ presence: Presence, schema: Schema, runID: String, log: Logger) {
        self.presence = presence
        self.schema = schema
        self.runID = runID
        self.log = log
        sharedSessions = SharedSessions(schema: schema)
    }

    /// On another connection, nothing is said yet.
    mutating func begin() {
        locks = PresenceLocks()
        sharedSessions = SharedSessions(schema: schema)
        attendedVersion = 0
        if let process { formerProcesses.insert(process) }
        process = nil
    }

    /// What is to be done now, if anything. It counts as tried.
    mutating func due() -> Errand? {
        let isChanged = presence.isChanged(since: attendedVersion)
        guard isChanged || .now - attendedAt >= Self.interval else { return nil }
        attendedAt = .now
        let orders = presence.orders
        let areNew = isChanged || locks.version != orders.version || locks.lacks(orders)
        guard areNew || !locks.groups.isEmpty else { return nil }
        attendedVersion = orders.version
        return Errand(orders: orders, areNew: areNew)
    }

    /// Failing is harmless: the next connection does it anew, or the same one a little later.
    mutating func attend(to errand: Errand, _ connection: Connection) throws(PostgresError) {
        if errand.areNew { try follow(errand.orders, connection) }
        for session in try sharedSessions.claim(in: locks.groups, connection) { presence.claimed(session) }
    }

    private mutating func follow(_ orders: Presence.Orders, _ connection: Connection) throws(PostgresError) {
        // As others see it: a pooler gives the connection a `backendID` of its own making.
        if process == nil { process = try connection.execute("SELECT pg_backend_pid()").int32(0, 0) }
        let taken = try locks.follow(orders, run: runID, connection)
        tell(try PresenceLocks.holders(ofSessions: taken, connection))
        for leaving in orders.leaving {
            presence.left(try locks.leave(leaving, connection), leaving)
        }
        try sharedSessions.record(orders.sessions.filter { locks.sessions.contains($0.key) }, connection)
        for session in orders.adopted { try sharedSessions.finish(session, connection) }
        presence.settled(adopted: orders.adopted)
    }

    /// Two daemons with one client id end each other's connections to the broker.
    private mutating func tell(_ found: [String: PresenceHolder]) {
        // Numbers are used again: whoever holds nothing any more is forgotten.
        formerProcesses.formIntersection(found.values.map(\.processID))
        let others = found.filter { !formerProcesses.contains($0.value.processID) }
        for (session, holder) in others where rivals[session] != holder {
            log.error(
                "another windrow uses this client id, and the broker gives it the session: each daemon needs a client_id of its own",
                metadata: ["broker": "\(session)", "other": "\(holder)"])
        }
        for session in rivals.keys where others[session] == nil {
            log.notice("no other windrow uses this client id any more", metadata: ["broker": "\(session)"])
        }
        rivals = others
        presence.found(rivals: others)
    }

    mutating func failed(_ error: PostgresError) {
        log.log(
            level: "\(error)" == lastFailure ? .debug : .warning, "cannot tell other daemons of this one",
            metadata: ["error": "\(error)"])
        lastFailure = "\(error)"
    }

    /// Before the connection is closed for a while: until there is one again its locks are missing, and nobody is to take its sessions for
    /// those of a daemon that is gone.
    func withdraw(_ connection: Connection) {
        let own = presence.orders.sessions.filter { locks.sessions.contains($0.key) && $0.value != nil }
        if own.isEmpty { return }
        do {
            try sharedSessions.record(own.mapValues { _ in nil }, connection)
        } catch {
            log.debug("cannot withdraw its sessions", metadata: ["error": "\(error)"])
        }
    }
}
