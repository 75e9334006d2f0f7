import LibPQ

/// How to reach the database that points end up in.
public struct DatabaseTarget: Sendable {
    public var connectionString: String
    public var schema: String

    public init(connectionString: String, schema: String) {
        self.connectionString = connectionString
        self.schema = schema
    }
}

/// The points in Windrow's tables.
final class PostgresStore: PointStore {
    private let target: DatabaseTarget
    private let schema: String
    private let connection: Connection
    /// Of a gateway, by its series: what the database calls them.
    private var identifiers: [Int: [Int: Int32]] = [:]

    private static let page = 10_000

    init(_ target: DatabaseTarget) throws(SimulationError) {
        self.target = target
        do throws(PostgresError) {
            schema = try quoteIdentifier(target.schema)
            connection = try Connection(target.connectionString, applicationName: "windrow simulate")
        } catch {
            throw SimulationError(error)
        }
        guard
            try run(
                "SELECT to_regclass($1) IS NOT NULL", [.text("\(schema).point")],
                { rows throws(PostgresError) in try rows.bool(0, 0) })
        else {
            throw SimulationError(
                .setup,
                "schema \(target.schema) is not in the database \(connection.endpoint): `windrow run` or `windrow migrate` "
                    + "makes it; is this the database that Windrow writes to?")
        }
    }

    /// Makes sure that nodes in the fleet's range are a simulation's: they have no tags but its own.
    func checkOwnership(_ fleet: Fleet) throws(SimulationError) {
        let foreign: String? = try run(
            """
            SELECT format('node %s has the tag %s', node_id, tag) FROM \(schema).series
            WHERE node_id BETWEEN $1 AND $2 AND tag !~ '^sim[1-9][0-9]*$' LIMIT 1
            """, [.int8(fleet.nodes.lowerBound), .int8(fleet.nodes.upperBound)]
        ) { rows throws(PostgresError) in rows.count > 0 ? try rows.text(0, 0) : nil }
        if let foreign {
            throw SimulationError(
                .setup,
                "\(foreign), which is no simulation's: nodes \(fleet.nodes.lowerBound) to \(fleet.nodes.upperBound) are not "
                    + "touched; choose others by --first-node")
        }
    }

    func read(
        _ plan: Plan, gateway: Int, within range: ClosedRange<Int64>,
        _ body: (_ series: Int, _ time: Int64, _ value: Double) -> Void
    ) throws(SimulationError) {
        for (series, identifier) in try series(plan, gateway).sorted(by: { $0.key < $1.key }) {
            var from = range.lowerBound
            while true {
                let rows = try run(
                    """
                    SELECT ts, v FROM \(schema).point WHERE series_id = $1 AND ts >= $2 AND ts <= $3
                    ORDER BY ts LIMIT \(Self.page)
                    """, [.int4(identifier), .timestamptz(from), .timestamptz(range.upperBound)]
                ) { $0 }
                do throws(PostgresError) {
                    for row in 0..<rows.count {
                        from = try rows.timestamp(row, 0)
                        body(series, from, try rows.double(row, 1))
                    }
                } catch {
                    throw SimulationError(error)
                }
                guard rows.count == Self.page else { break }
                from += 1
            }
        }
    }

    /// What the database calls a gateway's series; those that it does not have yet are looked for again the next time.
    private func series(_ plan: Plan, _ gateway: Int) throws(SimulationError) -> [Int: Int32] {
        if let known = identifiers[gateway], known.count == plan.series { return known }
        let nodes = plan.nodes(of: gateway)
        let found = try run(
            "SELECT id, node_id, tag FROM \(schema).series WHERE node_id BETWEEN $1 AND $2",
            [.int8(nodes.lowerBound), .int8(nodes.upperBound)]
        ) { rows throws(PostgresError) in
            var found: [Int: Int32] = [:]
            for row in 0..<rows.count {
                guard let tag = Int(try rows.text(row, 2).dropFirst(3)), (1...plan.fleet.tags).contains(tag) else {
                    continue
                }
                let node = Int(try rows.int64(row, 1) - nodes.lowerBound)
                found[node * plan.fleet.tags + tag - 1] = try rows.int32(row, 0)
            }
            return found
        }
        // Of a large fleet they are asked for again rather than kept.
        if plan.fleet.seriesCount <= 1_000_000 { identifiers[gateway] = found }
        return found
    }

    /// The newest stored reading of the first series of some gateways, microseconds since 1970-01-01 UTC.
    /// - Parameter latest: the newest that each may have.
    func newest(_ plan: Plan, of gateways: [(number: Int, latest: Int64)]) throws(SimulationError) -> [Int: Int64] {
        var newest: [Int: Int64] = [:]
        for (gateway, latest) in gateways {
            guard let identifier = try series(plan, gateway)[0] else { continue }
            let first = plan.time(gateway, 0, plan.seed(gateway, 0), 0)
            newest[gateway] = try run(
                """
                SELECT ts FROM \(schema).point
                WHERE series_id = $1 AND ts >= $2 AND ts <= $3 AND extract(microseconds FROM ts)::bigint % 1000 = $4
                ORDER BY ts DESC LIMIT 1
                """, [.int4(identifier), .timestamptz(first), .timestamptz(latest), .int8(plan.residue)]
            ) { rows throws(PostgresError) in rows.count > 0 ? try rows.timestamp(0, 0) : nil }
        }
        return newest
    }

    /// Deletes the points of all simulations on a gateway's nodes. Nodes and series stay: a running Windrow knows them by heart.
    /// - Returns: how many there were.
    func deletePoints(_ plan: Plan, gateway: Int) throws(SimulationError) -> Int {
        let nodes = plan.nodes(of: gateway)
        return try run(
            """
            DELETE FROM \(schema).point WHERE series_id IN (
                SELECT id FROM \(schema).series WHERE node_id BETWEEN $1 AND $2 AND tag ~ '^sim[1-9][0-9]*$')
            """, [.int8(nodes.lowerBound), .int8(nodes.upperBound)]
        ) { $0.affected }
    }

    private func run<R>(
        _ sql: String, _ parameters: [Parameter], _ read: (Rows) throws(PostgresError) -> R
    ) throws(SimulationError) -> R {
        do throws(PostgresError) {
            return try read(try connection.execute(sql, parameters))
        } catch {
            throw SimulationError(error)
        }
    }
}
