import LibPQ

// A conversion makes `point`, with all that it holds, a table of another engine, while everybody goes on writing.
//
// A second table, `point_next`, is made of the engine. Triggers on `point` repeat in it whatever a statement changes, in the same
// transaction. Meanwhile the rows that were there before are copied, slice by slice in the order of the primary key; how far the copy
// has come is committed with each slice, in the table `conversion`, which is there as long as a conversion is under way. In the end the
// two are compared, and swap their names in one short transaction; what was `point` stays, as `point_old`, until the operator has it
// dropped. Wherever the command is killed, the same command goes on from what the database says.
//
// Why no row is lost, and none comes back (all in READ COMMITTED, the slice by INSERT … SELECT … ON CONFLICT DO NOTHING):
//
// - Making the triggers takes a lock that waits for every writer under way and keeps others out: there is no change that they miss.
// - Insert: a row that the slice sees is committed, and so is its twin, which the slice then leaves alone. One that it does not see
//   is its writer's to repeat.
// - Update while the slice has the old value in hand: whoever reaches the key in `point_next` second waits for the other. The slice
//   then finds the twin and leaves it alone; the writer finds the slice's row and writes over it.
// - Delete while the slice has the row in hand is the dangerous one: the writer would find nothing to delete, and the slice would
//   store the row behind it. So a delete takes a shared advisory lock, before it looks for the twin, until its transaction ends,
//   and a slice takes it alone, before it looks at `point`. Either the slice does not see the row, or the delete sees the copy.
//   (Locking each row FOR KEY SHARE would do as well. It writes to every page of `point`: half the speed, and nearly twice the WAL.)
// - A window that is replaced is a delete and then inserts, in one transaction: both of the above. An update that changes keys is
//   a delete and an upsert.
// - A writer in REPEATABLE READ may not see the copy that it has to delete. Its delete is an upsert first, which fails as
//   a serialization failure where the row is newer than its snapshot; such writers expect that.
// - TRUNCATE takes both tables for itself, as slices do not.
// - Deadlocks: a slice waits for any lock a fifth of a second at most, less than it takes PostgreSQL to look for a deadlock. So
//   it is nearly always the slice that gives way, and begins again, smaller. A lane that is chosen tries again, too.
// - The swap waits for all who use `point`, and keeps others out until it commits: there is no change that the triggers missed.

/// Converts one domain's `point` to the engine that the configuration names. Works beside daemons and other writers.
public final class Conversion {
    /// What is going on, several times a second.
    public enum Phase: Equatable, Sendable {
        case copying
        /// Something is in the way, or PostgreSQL is away.
        case waiting(String)
        case comparing
    }

    public struct Report: Sendable {
        public var phase: Phase
        /// The part of the rows that is copied, of 1; nil when it is not known how many there are.
        public var share: Double?
        /// In this run.
        public var rows: Int
    }

    public struct Options: Sendable {
        /// Rows that are copied in a second, at most.
        public var rate: Int?
        /// Compare every row, and not only their number.
        public var verifies: Bool

        public init(rate: Int? = nil, verifies: Bool = false) {
            self.rate = rate
            self.verifies = verifies
        }
    }

    public struct Summary: Sendable {
        public var engine: String
        /// Rows that were copied in this run; those that were written meanwhile are not counted.
        public var copied: Int
        /// Rows that both tables had when they were compared.
        public var compared: Int
        public var took: Duration
    }

    let domain: Configuration.Domain
    let options: Options
    let report: (Report) -> Void
    let notice: (String) -> Void
    private let ended: () -> Void
    let isInterrupted: () -> Bool
    let schema: Schema
    let session: ConversionSession
    let wanted: PointEngine
    var copied = 0

    /// - Parameters:
    ///   - report: is told what is going on.
    ///   - notice: is told, once, what people should know.
    ///   - ended: is told that nothing more is to be told of the progress.
    ///   - isInterrupted: asked often; ends the conversion after what is under way. The next one goes on from there.
    /// - Throws: `PostgresError`.
    public init(
        _ domain: Configuration.Domain, _ options: Options = Options(), report: @escaping (Report) -> Void = { _ in },
        notice: @escaping (String) -> Void = { _ in }, ended: @escaping () -> Void = {},
        isInterrupted: @escaping () -> Bool = { false }
    ) throws {
        self.domain = domain
        self.options = options
        self.report = report
        self.notice = notice
        self.ended = ended
        self.isInterrupted = isInterrupted
        schema = try Schema(domain.schema)
        wanted = domain.storage.engine
        session = ConversionSession(domain, schema, isInterrupted: isInterrupted) {
            report(Report(phase: .waiting($0), share: nil, rows: 0))
        }
    }

    /// Begins, or goes on with, the conversion, up to its end.
    /// - Returns: nil if there is nothing to convert.
    /// - Throws: `ConversionError`, `PostgresError`.
    public func run() throws -> Summary? {
        let started = ContinuousClock.now
        defer { end() }
        if try session.perform({ try isDone($0) }) { return nil }
        try session.lock()
        // Another one may have come to its end meanwhile.
        if try session.perform({ try isDone($0) }) { return nil }
        if let course = try session.perform({ try ConversionCourse.load(schema, $0) }) {
            try check(course)
            notice("resuming, \(course.copied) rows are copied; --abandon undoes the conversion")
        } else {
            try session.perform { try begin($0) }
        }
        try mirror()
        FaultPoint.conversionMirrored.pass()
        try copy()
        report(Report(phase: .comparing, share: 1, rows: copied))
        try session.perform { try $0.script("ANALYZE \(schema.qualified(ConversionScript.next))") }
        let compared = try compare()
        if isInterrupted() { throw ConversionError.interrupted }
        try swap()
        return Summary(engine: wanted.rawValue, copied: copied, compared: compared, took: .now - started)
    }

    /// Undoes a conversion that is under way: `point` is as it was.
    /// - Returns: false if there is none.
    public func abandon() throws -> Bool {
        defer { end() }
        try session.lock()
        guard let course = try session.perform({ try ConversionCourse.load(schema, $0) }) else { return false }
        let partman = try session.perform { try PartitionSet(schema).partman(toMake: course.engine, $0) }
        let script = ConversionScript(schema, to: course.engine, partman: partman)
        try patiently { connection throws(PostgresError) in
            if try ConversionCourse.load(schema, connection) != nil { try connection.script(script.abandon) }
        }
        try drop(ConversionScript.old)
        return true
    }

    /// Drops what was `point` before a conversion.
    /// - Returns: the room that it took, as PostgreSQL words it; nil if there is no such table.
    public func dropOld() throws -> String? {
        defer { end() }
        try session.lock()
        guard let size = try session.perform({ try size(of: ConversionScript.old, $0) }) else { return nil }
        try drop(ConversionScript.old)
        return size
    }

    /// Drops a table, some partitions at a time: a transaction can have only so many locks.
    private func drop(_ table: String) throws {
        var isGone = false
        while !isGone {
            try patiently { connection throws(PostgresError) in
                let partitions = try connection.execute(
                    """
                    SELECT string_agg(oid::regclass::text, ', ') FROM (
                        SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = to_regclass($1) LIMIT 500) p
                    """, [.text(schema.qualified(table))])
                isGone = try partitions.isNull(0, 0)
                let gone = isGone ? schema.qualified(table) : try partitions.text(0, 0)
                try connection.script("DROP TABLE IF EXISTS \(gone)")
            }
        }
    }

    /// The SQL of a conversion of a plain table, for people to read; nil when there is none.
    public static func printed(_ domain: Configuration.Domain) throws -> String? {
        let wanted = domain.storage.engine
        guard wanted == .partitions || wanted == .timescaledb else { return nil }
        let schema = try Schema(domain.schema)
        let partman = wanted == .partitions ? Extension.partman.usualSchema : nil
        let script = ConversionScript(schema, to: wanted, interval: domain.storage.interval, partman: partman)
        var storage = domain.storage
        storage.retention = nil
        storage.compressAfter = nil
        let table = PointStorage(storage, schema).script(table: ConversionScript.next)
        return """
            -- Where point holds points, in place of the last part. First, what touches nothing that is in use:
            BEGIN;
            \(script.begin(table, expected: 0))
            COMMIT;
            -- From here on, what is written to point is written to point_next as well:
            BEGIN;
            SET LOCAL lock_timeout = '2s';
            \(script.mirror)
            COMMIT;
            -- For each slice of point, in the order of its key:
            BEGIN;
            SET LOCAL lock_timeout = '200ms';
            \(script.lockSlices);
            INSERT INTO \(schema.qualified(ConversionScript.next)) (series_id, ts, v)
            SELECT series_id, ts, v FROM \(schema.qualified("point")) WHERE (series_id, ts) > ($1, $2) AND (series_id, ts) <= ($3, $4)
            ON CONFLICT (series_id, ts) DO NOTHING;
            UPDATE \(schema.qualified(ConversionScript.course)) SET series_id = $3, ts = $4;
            COMMIT;
            -- When both have the same rows:
            ANALYZE \(schema.qualified(ConversionScript.next));
            BEGIN;
            SET LOCAL lock_timeout = '2s';
            \(script.swap)
            \(PointStorage(domain.storage, schema).policies().map { "\($0);" } ?? "")
            COMMIT;
            """
    }

    private func end() {
        session.close()
        ended()
    }

    // MARK: Beginning

    /// Makes `point_next` and all that the conversion needs, but for the triggers. Touches nothing that anybody uses.
    private func begin(_ connection: Connection) throws {
        guard try ConversionCourse.load(schema, connection) == nil, let found = try schema.engine(connection) else {
            return
        }
        guard found == .plain || found == .partitions, wanted != .citus else {
            throw ConversionError.impossible(schema, found, wanted)
        }
        if let left = try size(of: ConversionScript.old, connection) {
            throw ConversionError.oldIsThere(schema.name, left)
        }
        let obstacles = try schema.obstaclesToConversion(connection)
        guard obstacles.isEmpty else { throw ConversionError.obstacles(schema.name, obstacles) }
        let rows = try connection.execute(
            """
            SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c
            WHERE c.relkind <> 'p'
                AND (c.oid = to_regclass($1) OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1)))
            """, [.text(schema.qualified("point"))])
        let expected = try rows.int64(0, 0)
        notice(
            "point takes \(try size(of: "point", connection) ?? "no room") and turns from \(found.rawValue) into \(wanted.rawValue); "
                + "that takes about as much room again until windrow migrate --drop-old")
        let settings = try connection.execute(
            "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass($1) AND reloptions IS NOT NULL",
            [.text(schema.qualified("point"))])
        if settings.count > 0 {
            notice("the settings of point do not go along; set them again afterwards: \(try settings.text(0, 0))")
        }
        var storage = domain.storage
        // Nothing must be dropped or compressed before the tables are compared.
        storage.retention = nil
        storage.compressAfter = nil
        let table: String
        do {
            table = try PointStorage(storage, schema).script(connection, table: ConversionScript.next)
        } catch let error as StorageError {
            throw ConversionError(error)
        }
        let partman = try PartitionSet(schema).partman(toMake: wanted, connection)
        let script = ConversionScript(schema, to: wanted, interval: domain.storage.interval, partman: partman)
        try connection.transaction { () throws(PostgresError) in
            try connection.script(script.begin(table, expected: expected))
        }
        FaultPoint.conversionBegun.pass()
    }

    /// Makes the triggers, unless they are there.
    private func mirror() throws {
        let script = ConversionScript(schema, to: wanted)
        let isMirrored = try session.perform { connection in
            try connection.execute(
                "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = 'mirror_point_delete')",
                [.text(schema.qualified("point"))]
            ).bool(0, 0)
        }
        if isMirrored { return }
        try patiently { connection throws(PostgresError) in try connection.script(script.mirror) }
    }

    /// Whether `point` is what it is to be, and no conversion is under way.
    private func isDone(_ connection: Connection) throws -> Bool {
        if try ConversionCourse.load(schema, connection) != nil { return false }
        return try schema.engine(connection).map { $0 == wanted } ?? true
    }

    private func check(_ course: ConversionCourse) throws {
        guard course.engine == wanted else { throw ConversionError.otherEngine(schema.name, course.engine, wanted) }
    }

    /// The room that a table takes, with its indexes and partitions; nil when there is none.
    private func size(of table: String, _ connection: Connection) throws -> String? {
        let rows = try connection.execute(
            """
            SELECT pg_size_pretty(sum(pg_total_relation_size(c.oid))::bigint) FROM pg_class c
            WHERE c.oid = to_regclass($1) OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1))
            """, [.text(schema.qualified(table))])
        return try rows.optionalText(0, 0)
    }

    // MARK: Ending

    private func swap() throws {
        let (partman, home) = try session.perform {
            (try PartitionSet(schema).partman(toMake: wanted, $0), try Extension.of(wanted)?.schema($0))
        }
        let script = ConversionScript(schema, to: wanted, partman: partman)
        let policies = PointStorage(domain.storage, schema).policies(home: home)
        var isLost = false
        try patiently { connection throws(PostgresError) in
            guard let course = try ConversionCourse.load(schema, connection) else {
                // It is done, and only its connection broke.
                isLost = try schema.engine(connection) != wanted
                return
            }
            isLost = !course.isCopied
            if isLost { return }
            try connection.script(script.swap)
            if let policies { try connection.script(policies) }
            FaultPoint.conversionBeforeSwap.pass()
        }
        if isLost { throw ConversionError.isGone }
        FaultPoint.conversionAfterSwap.pass()
    }

    /// Runs a transaction that waits for a lock 2 s at most, so that nobody queues behind it for longer, again and again.
    private func patiently(_ body: (Connection) throws(PostgresError) -> Void) throws {
        var backoff = Backoff(first: .milliseconds(500), cap: .seconds(15))
        while true {
            do {
                return try session.perform { connection in
                    try connection.transaction { () throws(PostgresError) in
                        try connection.script("SET LOCAL lock_timeout = '2s'")
                        try body(connection)
                    }
                }
            } catch let error as PostgresError where error.isOfLocks {
                let blocker = try session.perform { try self.blocker($0) } ?? "others use point all the time"
                report(Report(phase: .waiting(blocker), share: nil, rows: copied))
                try session.pause(backoff.next())
            }
        }
    }

    /// Who has used one of the tables for the longest; nil when nobody does any more.
    func blocker(_ connection: Connection) throws -> String? {
        let rows = try connection.execute(
            """
            SELECT a.pid, coalesce(a.usename::text, '?'), coalesce(nullif(a.application_name, ''), a.backend_type, '?'),
                coalesce(a.state, 'its state is hidden'), coalesce(extract(epoch FROM now() - a.xact_start), 0)::bigint
            FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
            WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.relation IN (to_regclass($1), to_regclass($2), to_regclass($3))
            ORDER BY a.xact_start LIMIT 1
            """, ["point", ConversionScript.next, ConversionScript.old].map { .text(schema.qualified($0)) })
        guard rows.count > 0 else { return nil }
        return """
            process \(try rows.int32(0, 0)) of user \(try rows.text(0, 1)) (\(try rows.text(0, 2)), \(try rows.text(0, 3))) \
            has used point for \(try rows.int64(0, 4)) s; SELECT pg_terminate_backend(\(try rows.int32(0, 0))) would end it
            """
    }
}

extension PostgresError {
    /// Others are in the way, or were: again, later.
    var isOfLocks: Bool {
        sqlState == .lockNotAvailable || sqlState == .deadlockDetected || sqlState == .serializationFailure
    }
}
