import Glibc
import LibPQ

/// An import's own connection: it finds series and keeps the positions, while the lanes write. It is opened again when it breaks.
final class ImportDatabase {
    let access: DatabaseAccess
    private let uuid: NodeUUID
    private let patience: Duration
    private let waits: (PostgresError) -> Void
    private let isInterrupted: () -> Bool
    /// In which all that is found is found.
    private(set) var timeline: Timeline?
    private var connection: Connection?
    private var catalog: Catalog

    /// - Parameter waits: is told why it waits for PostgreSQL, before each try.
    init(
        _ domain: Configuration.Domain, uuid: NodeUUID, patience: Duration, waits: @escaping (PostgresError) -> Void,
        isInterrupted: @escaping () -> Bool
    ) throws {
        access = try DatabaseAccess(domain)
        self.uuid = uuid
        self.patience = patience
        self.waits = waits
        self.isInterrupted = isInterrupted
        catalog = Catalog(
            schema: access.schema, createsNodes: domain.unknownNodes == .create, identities: NodeIdentities())
    }

    /// Connects, checks the schema, and keeps a second import of the same input away for as long as the connection lasts.
    func open() throws {
        try open(again: false)
    }

    /// Runs `body`, and once more for as long as PostgreSQL is away and patience lasts.
    func perform<R>(_ body: (Connection) throws -> R) throws -> R {
        var backoff = DatabaseAccess.backoff
        let deadline = ContinuousClock.now + patience
        while true {
            do {
                if connection?.isUsable != true { try open(again: true) }
                guard let connection else { preconditionFailure("it is open") }
                return try body(connection)
            } catch let error as PostgresError where error.verdict == .retry && ContinuousClock.now < deadline {
                if isInterrupted() { throw error }
                connection?.close()
                catalog.forget()
                waits(error)
                let (seconds, attoseconds) = backoff.next().components
                usleep(useconds_t(seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
            }
        }
    }

    /// The numbers of series in the database; nil where the node is unknown and must not be created.
    func resolve(_ names: [SeriesName]) throws -> [SeriesID?] {
        try perform { try catalog.resolve(names, $0) }
    }

    /// Where the lanes of an earlier run stand; nil when there was none.
    func loadPositions() throws -> [JournalPosition]? {
        try perform { connection in
            let rows = try connection.execute(
                "SELECT position FROM \(access.schema.qualified("progress")) WHERE journal = $1 ORDER BY lane",
                [.uuid(UUIDBytes(uuid))])
            if rows.count == 0 { return nil }
            return try (0..<rows.count).map { JournalPosition(try rows.int64($0, 0)) }
        }
    }

    /// Notes that the import has begun.
    func begin(lanes: Int) throws {
        let positions = LanePositions(schema: access.schema, journal: uuid)
        _ = try perform { try positions.load(lanes: lanes, $0) }
    }

    /// Forgets the import.
    func forget() throws {
        try perform { connection in
            _ = try connection.execute(
                "DELETE FROM \(access.schema.qualified("progress")) WHERE journal = $1", [.uuid(UUIDBytes(uuid))])
        }
    }

    /// Takes the database as it is now: what was found in its other past counts no more.
    func follow() {
        close()
        timeline = nil
        catalog.forget()
    }

    func close() {
        connection?.close()
        connection = nil
    }

    private func open(again: Bool) throws {
        let fresh = try access.connect("import")
        try access.schema.check(fresh)
        try access.commit.apply(to: fresh)
        let timeline = try Timeline(of: fresh)
        // Numbers of series that were made last may be others' there.
        guard self.timeline == nil || self.timeline == timeline else { throw OtherPast() }
        self.timeline = timeline
        // One's own lost connection may hold it for a while.
        guard try fresh.takeCommandLock("windrow import \(uuid)") || again else {
            throw TransferError(.usage, "another windrow import of the same file is under way")
        }
        connection = fresh
    }
}
