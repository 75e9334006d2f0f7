import LibPQ

/// An extension of PostgreSQL that an engine needs.
struct Extension: Sendable {
    let name: String
    /// How to come by it.
    let installation: String
    /// What a superuser runs to make it.
    let creation: String

    static let partman = Extension(
        name: "pg_partman",
        installation:
            "install it on the server (Debian: apt install postgresql-partman, or postgresql-15-partman for version 15)",
        creation: "CREATE SCHEMA IF NOT EXISTS partman; CREATE EXTENSION IF NOT EXISTS pg_partman SCHEMA partman")
    static let timescaledb = Extension(
        name: "timescaledb",
        installation:
            "install it on the server (docs.tigerdata.com/self-hosted) and put it into shared_preload_libraries",
        creation: "CREATE EXTENSION IF NOT EXISTS timescaledb")
    static let citus = Extension(
        name: "citus",
        installation:
            "install it on the server and its workers (docs.citusdata.com) and put it first in shared_preload_libraries",
        creation: "CREATE EXTENSION IF NOT EXISTS citus")

    static func of(_ engine: PointEngine) -> Extension? {
        switch engine {
        case .plain: nil
        case .partitions: .partman
        case .timescaledb: .timescaledb
        case .citus: .citus
        }
    }

    /// The schema that `creation` makes it in.
    var usualSchema: String { name == Self.partman.name ? "partman" : "public" }

    /// The schema that it is in, quoted; nil when it is not in the database.
    func schema(_ connection: Connection) throws(PostgresError) -> String? {
        let rows = try connection.execute(
            "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = $1",
            [.text(name)])
        return rows.count == 0 ? nil : try rows.text(0, 0)
    }

    /// Makes it, if the server has it and this user may.
    /// - Returns: its schema.
    /// - Throws: `PostgresError`, or a `StorageError` that says what is missing.
    func require(_ connection: Connection) throws -> String {
        if let obstacle = try obstacle(connection) { throw obstacle }
        if let schema = try schema(connection) { return schema }
        try connection.script(creation)
        return try schema(connection) ?? usualSchema
    }

    /// What keeps this user from using it, or from making it first; nil when nothing does.
    func obstacle(_ connection: Connection) throws(PostgresError) -> StorageError? {
        if let schema = try schema(connection) { return try missingGrants(in: schema, connection) }
        let rows = try connection.execute(
            """
            SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1), rolsuper, quote_ident(current_user)
            FROM pg_roles WHERE rolname = current_user
            """, [.text(name)])
        if try !rows.bool(0, 0) { return .notInstalled(self, connection.endpoint) }
        if try rows.bool(0, 1) { return nil }
        return .notCreated(self, connection.endpoint, grants(to: try rows.text(0, 2), schema: usualSchema))
    }

    private func missingGrants(in schema: String, _ connection: Connection) throws(PostgresError) -> StorageError? {
        guard name == Self.partman.name else { return nil }
        let rows = try connection.execute(
            """
            SELECT has_schema_privilege($1::regnamespace, 'USAGE') AND has_schema_privilege($1::regnamespace, 'CREATE')
                AND has_table_privilege(
                    (SELECT c.oid FROM pg_class c WHERE c.relname = 'part_config' AND c.relnamespace = $1::regnamespace),
                    'INSERT'),
                quote_ident(current_user)
            """, [.text(schema)])
        if try rows.bool(0, 0) { return nil }
        return .notGranted(self, grants(to: try rows.text(0, 1), schema: schema))
    }

    /// What its functions need of their caller, as SQL; empty when nothing.
    private func grants(to user: String, schema: String) -> String {
        guard name == Self.partman.name else { return "" }
        return "GRANT ALL ON SCHEMA \(schema) TO \(user); GRANT ALL ON ALL TABLES IN SCHEMA \(schema) TO \(user)"
    }
}

/// Why points cannot be stored by the engine that the configuration names.
enum StorageError: Error, Sendable, CustomStringConvertible {
    case notInstalled(Extension, String)
    case notCreated(Extension, String, String)
    case notGranted(Extension, String)

    var description: String {
        switch self {
        case .notInstalled(let needed, let endpoint):
            "PostgreSQL at \(endpoint) has no extension \(needed.name), which storage.engine needs: \(needed.installation), "
                + "or choose another engine"
        case .notCreated(let needed, let endpoint, let grants):
            "PostgreSQL at \(endpoint) has the extension \(needed.name), but not in this database; a superuser has to run there: "
                + needed.creation + (grants.isEmpty ? "" : "; \(grants)")
        case .notGranted(let needed, let grants):
            "this user may not use the extension \(needed.name); its owner has to run: \(grants)"
        }
    }
}
