import LibPQ

/// What `windrow check` finds of a domain's storage.
struct StorageCheck {
    private let storage: Configuration.Storage
    private let schema: Schema
    private let subject: String

    init(_ domain: Configuration.Domain, _ schema: Schema) {
        storage = domain.storage
        self.schema = schema
        subject = "\(domain.name) storage"
    }

    /// Nothing to tell of a plain table that is to be one.
    func run(_ connection: Connection) throws(PostgresError) -> [Check.Finding] {
        let wanted = storage.engine
        let found = try schema.engine(connection)
        if found == wanted {
            return try found == .partitions
                ? [checkPartitions(connection)] : found == .plain ? [] : [finding(.good, "\(wanted)")]
        }
        if let obstacle = try Extension.of(wanted)?.obstacle(connection) { return [finding(.wrong, "\(obstacle)")] }
        guard let found else { return [] }
        let isEmpty = try connection.execute("SELECT NOT EXISTS (SELECT FROM \(schema.qualified("point")))").bool(0, 0)
        return [
            isEmpty
                ? finding(.good, "\(schema.name).point is empty, and will be made anew for the engine \(wanted)")
                : finding(
                    .warning,
                    "the engine of \(schema.name).point is \(found) and not \(wanted), and it holds points; they are written as "
                        + "it is; `windrow migrate` changes it")
        ]
    }

    private func checkPartitions(_ connection: Connection) throws(PostgresError) -> Check.Finding {
        let partitions = PartitionSet(schema)
        if let obstacle = try Extension.partman.obstacle(connection) { return finding(.wrong, "\(obstacle)") }
        guard let interval = try partitions.interval(connection) else {
            return finding(
                .warning,
                "pg_partman does not look after \(schema.name).point: who makes its partitions? Points for which there is none wait"
            )
        }
        let owner = try connection.execute(
            "SELECT pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner) FROM pg_class c WHERE oid = to_regclass($1)",
            [.text(schema.qualified("point"))])
        guard try owner.bool(0, 0) else {
            return finding(
                .wrong,
                "only \(try owner.text(0, 1)), the owner of \(schema.name).point, can make its partitions; make this user a "
                    + "member of that role, or the owner")
        }
        let told = "\(try partitions.count(connection)) partitions of \(interval)"
        if interval != storage.interval {
            return finding(
                .warning, "\(told), not of \(storage.interval); storage.interval counts only when the table is made")
        }
        return finding(.good, told + (storage.retention.map { ", kept for \($0)" } ?? ""))
    }

    private func finding(_ verdict: Check.Finding.Verdict, _ message: String) -> Check.Finding {
        Check.Finding(verdict: verdict, subject: subject, message: message)
    }
}
