import LibPQ

/// Brings one domain's schema up to date.
public struct Migration {
    private let domain: Configuration.Domain

    public init(_ domain: Configuration.Domain) {
        self.domain = domain
    }

    /// - Returns: the versions that were applied; none if the schema was up to date.
    /// - Throws: `PostgresError`, `SchemaError`.
    public func run() throws -> [Int] {
        let schema = try Schema(domain.schema)
        return try schema.migrate(DatabaseAccess(connectionString: domain.postgres, schema: schema).connect("migrate"))
    }
}
