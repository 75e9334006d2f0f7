import LibPQ

/// Finds the numbers of nodes and series, and makes those that are new: in bulk, and remembered.
///
/// New nodes and series are committed at once, apart from the points: a series without points harms nobody, and no flush waits
/// for another's lock on a new node.
struct Catalog {
    private let schema: Schema
    var createsNodes: Bool
    private let identities: NodeIdentities
    private var known: [SeriesName: SeriesID] = [:]

    init(schema: Schema, createsNodes: Bool, identities: NodeIdentities) {
        self.schema = schema
        self.createsNodes = createsNodes
        self.identities = identities
    }

    /// Looks everything up again when it is next needed.
    mutating func forget() {
        known.removeAll()
    }

    /// The numbers of the series, if all of them are remembered: the usual case, which needs no database.
    func remembered(_ names: [SeriesName]) -> [SeriesID?]? {
        var ids: [SeriesID?] = []
        ids.reserveCapacity(names.count)
        for name in names {
            guard let id = known[name] else { return nil }
            ids.append(id)
        }
        return ids
    }

    /// The numbers of the series, in the order of the names; nil for one whose node is unknown and must not be created.
    mutating func resolve(_ names: [SeriesName], _ connection: Connection) throws(PostgresError) -> [SeriesID?] {
        let missing = names.filter { known[$0] == nil }
        if !missing.isEmpty { try lookUp(missing, connection) }
        return names.map { known[$0] }
    }

    /// How series are named, for people.
    static func names(
        of series: Set<SeriesID>, _ schema: Schema, _ connection: Connection
    ) throws(PostgresError) -> [SeriesID: SeriesName] {
        let rows = try connection.execute(
            "SELECT id, node_id, tag FROM \(schema.qualified("series")) WHERE id = ANY ($1)",
            [.int4Array(series.map(\.number))])
        var names: [SeriesID: SeriesName] = [:]
        for row in 0..<rows.count {
            guard let node = NodeID(try rows.int64(row, 1)) else { continue }
            names[SeriesID(try rows.int32(row, 0))] = SeriesName(
                node: .id(node), tag: Tag(unchecked: try rows.text(row, 2)))
        }
        return names
    }

    private mutating func lookUp(_ names: [SeriesName], _ connection: Connection) throws(PostgresError) {
        let nodes = try resolveNodes(Array(Set(names.map(\.node))), connection)
        var wanted: [(node: Int64, tag: String, name: SeriesName)] = []
        for name in names {
            if let id = nodes[name.node] { wanted.append((id.number, name.tag.name, name)) }
        }
        // In key order, so that two daemons that make the same series wait for each other and do not deadlock.
        wanted.sort { ($0.node, $0.tag) < ($1.node, $1.tag) }
        let parameters: [Parameter] = [.int8Array(wanted.map(\.node)), .textArray(wanted.map(\.tag))]
        var found = try findSeries(parameters, connection)
        if found.count < wanted.count {
            try connection.execute(
                """
                INSERT INTO \(schema.qualified("series")) (node_id, tag)
                SELECT DISTINCT w.node_id, w.tag
                FROM unnest($1::bigint[], $2::text[]) AS w (node_id, tag)
                WHERE NOT EXISTS (
                    SELECT FROM \(schema.qualified("series")) s WHERE s.node_id = w.node_id AND s.tag = w.tag)
                ORDER BY w.node_id, w.tag
                ON CONFLICT DO NOTHING
                """, parameters)
            found = try findSeries(parameters, connection)
        }
        for (place, id) in found { known[wanted[place].name] = id }
    }

    private func findSeries(
        _ parameters: [Parameter], _ connection: Connection
    ) throws(PostgresError) -> [(place: Int, id: SeriesID)] {
        let rows = try connection.execute(
            """
            SELECT w.place, s.id
            FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS w (node_id, tag, place)
            JOIN \(schema.qualified("series")) s ON s.node_id = w.node_id AND s.tag = w.tag
            """, parameters)
        var found: [(place: Int, id: SeriesID)] = []
        for row in 0..<rows.count {
            found.append((Int(try rows.int64(row, 0)) - 1, SeriesID(try rows.int32(row, 1))))
        }
        return found
    }

    private func resolveNodes(
        _ names: [NodeName], _ connection: Connection
    ) throws(PostgresError) -> [NodeName: NodeID] {
        var ids: [NodeID] = []
        var uuids: [NodeUUID] = []
        for name in names {
            switch name {
            case .id(let id): ids.append(id)
            case .uuid(let uuid): uuids.append(uuid)
            }
        }
        // Numbers first: a node that the same batch names by number must not have its number given to a UUID.
        if createsNodes { try createNodes(ids.sorted(), connection) }
        var resolved: [NodeName: NodeID] = [:]
        for id in try existingIDs(ids, connection) { resolved[.id(id)] = id }
        var found = try findUUIDs(uuids, connection)
        // More than once only if somebody else takes the same number at the same moment.
        while createsNodes, found.count < uuids.count {
            try createNodes(uuids.filter { found[$0] == nil }.sorted(), connection)
            found = try findUUIDs(uuids, connection)
        }
        for (uuid, id) in found {
            resolved[.uuid(uuid)] = id
            identities.learn(uuid, is: id)
        }
        return resolved
    }

    private func createNodes(_ ids: [NodeID], _ connection: Connection) throws(PostgresError) {
        if ids.isEmpty { return }
        try connection.execute(
            """
            INSERT INTO \(schema.qualified("node")) (id)
            SELECT w.id FROM unnest($1::bigint[]) AS w (id) ORDER BY w.id
            ON CONFLICT DO NOTHING
            """, [.int8Array(ids.map(\.number))])
    }

    /// An unknown UUID gets the next free number: above the highest there is, numbers in the upper half of the range left aside.
    private func createNodes(_ uuids: [NodeUUID], _ connection: Connection) throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            try connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [.text("windrow node \(schema.name)")])
            try connection.execute(
                """
                WITH top AS (
                    SELECT coalesce(max(id), 0) AS id FROM \(schema.qualified("node")) WHERE id < 1::bigint << 62),
                free AS (
                    SELECT n, row_number() OVER (ORDER BY n) AS place FROM generate_series(
                        (SELECT id FROM top) + 1,
                        (SELECT id FROM top) + cardinality($1::uuid[])
                            + (SELECT count(*) FROM \(schema.qualified("node")) WHERE id >= 1::bigint << 62)) AS n
                    WHERE NOT EXISTS (SELECT FROM \(schema.qualified("node")) WHERE id = n))
                INSERT INTO \(schema.qualified("node")) (id, uuid)
                SELECT free.n, w.uuid
                FROM unnest($1::uuid[]) WITH ORDINALITY AS w (uuid, place) JOIN free USING (place)
                ON CONFLICT DO NOTHING
                """, [.uuidArray(uuids.map(UUIDBytes.init))])
        }
    }

    private func existingIDs(_ ids: [NodeID], _ connection: Connection) throws(PostgresError) -> [NodeID] {
        if ids.isEmpty || createsNodes { return ids }
        let rows = try connection.execute(
            "SELECT id FROM \(schema.qualified("node")) WHERE id = ANY ($1)", [.int8Array(ids.map(\.number))])
        var found: [NodeID] = []
        for row in 0..<rows.count {
            if let id = NodeID(try rows.int64(row, 0)) { found.append(id) }
        }
        return found
    }

    private func findUUIDs(_ uuids: [NodeUUID], _ connection: Connection) throws(PostgresError) -> [NodeUUID: NodeID] {
        if uuids.isEmpty { return [:] }
        let rows = try connection.execute(
            "SELECT uuid, id FROM \(schema.qualified("node")) WHERE uuid = ANY ($1)",
            [.uuidArray(uuids.map(UUIDBytes.init))])
        var found: [NodeUUID: NodeID] = [:]
        for row in 0..<rows.count {
            let uuid = try rows.uuid(row, 0)
            found[NodeUUID(high: uuid.high, low: uuid.low)] = NodeID(try rows.int64(row, 1))
        }
        return found
    }
}

extension UUIDBytes {
    init(_ uuid: NodeUUID) {
        self.init(high: uuid.high, low: uuid.low)
    }
}
