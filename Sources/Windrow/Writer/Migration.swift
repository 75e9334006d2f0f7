import LibPQ

/// Brings one domain's schema up to date.
public struct Migration {
    private let domain: Configuration.Domain

    public init(_ domain: Configuration.Domain) {
        self.domain = domain
    }

    /// What was done, and what is to be done still.
    public struct Outcome: Sendable {
        /// Versions of the schema that were applied; none if it was up to date.
        public var applied: [Int]
        /// What the table of points is.
        public var engine: String
        /// Whether it is what the configuration says. If not, it holds points.
        public var isAsConfigured: Bool
    }

    /// - Throws: `PostgresError`, `SchemaError`, `ConversionError`.
    public func run() throws -> Outcome {
        let schema = try Schema(domain.schema)
        let connection = try DatabaseAccess(connectionString: domain.postgres, schema: schema).connect("migrate")
        let applied = try schema.migrate(connection)
        let storage = PointStorage(domain.storage, schema)
        let engine: PointEngine
        do {
            engine = try storage.prepare(connection)
        } catch let error as StorageError {
            throw ConversionError(error)
        }
        return Outcome(applied: applied, engine: engine.rawValue, isAsConfigured: engine == storage.wanted)
    }

    /// The SQL that makes everything from an empty database.
    public var printed: String {
        get throws {
            let schema = try Schema(domain.schema)
            let storage = PointStorage(domain.storage, schema)
            return (schema.upgrades + (storage.printed.map { [$0] } ?? [])).joined(separator: "\n")
        }
    }
}
