import LibPQ
import WindrowTestSupport

@testable import Windrow

/// An empty schema in a database of its own, and a connection to it.
struct WriterFixture {
    let conninfo: String
    let schema: Schema
    let connection: Connection

    init(_ sandbox: Sandbox = .shared, schema name: String = "windrow") throws {
        conninfo = try sandbox.makeDatabase()
        schema = try Schema(name)
        connection = try Connection(conninfo, applicationName: "windrow tests")
        try schema.migrate(connection)
    }

    /// Whether this PostgreSQL could have the extension.
    static func hasExtension(_ name: String) throws -> Bool {
        try Connection(Sandbox.shared.conninfo(), applicationName: "windrow tests").execute(
            "SELECT FROM pg_available_extensions WHERE name = $1", [.text(name)]
        ).count > 0
    }

    func asSuperuser(_ body: (Connection) throws -> Void) throws {
        try body(Connection(conninfo + " user=postgres", applicationName: "windrow tests"))
    }

    /// Makes pg_partman, for the schema's owner to use.
    func allowPartman() throws {
        try asSuperuser {
            try $0.script(
                """
                \(Extension.partman.creation);
                GRANT ALL ON SCHEMA partman TO windrow; GRANT ALL ON ALL TABLES IN SCHEMA partman TO windrow
                """)
        }
    }

    /// The name of the partition with the highest bounds.
    func newestPartition() throws -> String {
        try connection.execute(
            "SELECT max(relname::text COLLATE \"C\") FROM pg_class WHERE relname LIKE 'point\\_p2%' AND relkind = 'r'"
        ).text(0, 0)
    }

    func connect() throws -> Connection {
        try Connection(conninfo, applicationName: "windrow tests")
    }

    func catalog(createsNodes: Bool = true, identities: NodeIdentities = NodeIdentities()) -> Catalog {
        Catalog(schema: schema, createsNodes: createsNodes, identities: identities)
    }

    /// The whole table, by the names of the series.
    func table() throws -> [SeriesName: [Timestamp: Double]] {
        let rows = try connection.execute("SELECT node_id, tag, ts, v FROM windrow.timeseries")
        var table: [SeriesName: [Timestamp: Double]] = [:]
        for row in 0..<rows.count {
            guard let node = NodeID(try rows.int64(row, 0)) else { throw FixtureError("a node id is not positive") }
            let name = SeriesName(node: .id(node), tag: Tag(unchecked: try rows.text(row, 1)))
            table[name, default: [:]][Timestamp(microseconds: try rows.timestamp(row, 2))] = try rows.double(row, 3)
        }
        return table
    }
}

func seriesName(_ node: Int64, _ tag: String = "t") -> SeriesName {
    guard let id = NodeID(node) else { preconditionFailure("node ids are positive") }
    return SeriesName(node: .id(id), tag: Tag(unchecked: tag))
}
