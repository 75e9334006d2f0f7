import LibPQ

/// What an import has done, or would do.
public struct ImportSummary: Sendable {
    /// A place in the input.
    public struct Place: Equatable, Sendable {
        /// The part before it, of 1.
        public var share: Double
        public var lines: Int
    }

    public let input: String
    /// Whether the same command goes on where it was interrupted.
    public let isResumable: Bool
    /// Where an earlier run was interrupted; the counts are of what is behind it.
    public internal(set) var resumedAt: Place?
    /// Up to where all is committed.
    public internal(set) var committed = Place(share: 0, lines: 0)
    public internal(set) var isComplete = false
    public internal(set) var totals = ImportTotals()
    /// How often PostgreSQL has failed over under it; what was lost then is counted once more.
    public internal(set) var failovers = 0
    /// In the database.
    public internal(set) var series = 0
    public internal(set) var took = Duration.zero
    /// The first bad lines, as `FILE:LINE: reason`.
    public internal(set) var badLines: [String] = []
    public internal(set) var badLineCount = 0
    public internal(set) var badReasons: [(reason: Rejection.Reason, count: Int)] = []
    /// Of a rehearsal.
    public internal(set) var plan: ImportPlan?

    init(input: String, isResumable: Bool) {
        self.input = input
        self.isResumable = isResumable
    }

    mutating func take(_ lines: BadLines) {
        badLines = lines.told
        badLineCount = lines.count
        badReasons = lines.reasons
    }

    /// What to do about bad lines.
    static func advice(isFirstPass: Bool, _ options: ImportOptions) -> String {
        let anew = "A file that was changed is another import, which begins anew"
        return "mend the lines, or leave them out with --skip-bad FILE. "
            + (isFirstPass
                ? ""
                : options.overwrite == .insert
                    ? "\(anew): the points that are stored already stay as they are. "
                    : "\(anew): it writes over what others have written meanwhile to the part that is done. ")
    }
}

/// What an import would do, as far as it can be known beforehand.
public struct ImportPlan: Sendable {
    public let points: Int
    public let lines: Int
    public let series: Int
    /// From the first to the last point.
    public let range: TimeRange?
    /// Series whose windows would be deleted, and the longest one.
    public let windows: Int
    /// Not in the database; nil when it cannot be asked.
    public internal(set) var newNodes: Int?
    public internal(set) var newSeries: Int?
    /// Why it cannot be asked.
    public internal(set) var obstacle: String?

    init(_ survey: FileSurvey, _ names: [SeriesName]) {
        points = survey.points
        lines = survey.lines
        let used = survey.extents.filter { $0.range != nil }
        series = used.count
        let (first, last) = (used.compactMap(\.range?.first).min(), used.compactMap(\.range?.last).max())
        range = if let first, let last { TimeRange(first: first, last: last) } else { nil }
        windows = used.count { $0.window != nil }
    }

    /// Counts what the database does not have, and changes nothing in it.
    mutating func lookUp(_ names: [SeriesName], in domain: Configuration.Domain) throws {
        let schema = try Schema(domain.schema)
        let connection = try DatabaseAccess(connectionString: domain.postgres, schema: schema).connect("import")
        try schema.check(connection)
        var nodes: [NodeName: NodeID] = [:]
        var (ids, uuids): ([Int64], [UUIDBytes]) = ([], [])
        let named = Set(names.map(\.node))
        for node in named {
            switch node {
            case .id(let id): ids.append(id.number)
            case .uuid(let uuid): uuids.append(UUIDBytes(uuid))
            }
        }
        let found = try connection.execute(
            "SELECT id, uuid FROM \(schema.qualified("node")) WHERE id = ANY ($1) OR uuid = ANY ($2)",
            [.int8Array(ids), .uuidArray(uuids)])
        for row in 0..<found.count {
            guard let id = NodeID(try found.int64(row, 0)) else { continue }
            let uuid = try found.uuid(row, 1)
            nodes[.id(id)] = id
            nodes[.uuid(NodeUUID(high: uuid.high, low: uuid.low))] = id
        }
        newNodes = named.count { nodes[$0] == nil }
        let wanted = names.compactMap { name in nodes[name.node].map { ($0.number, name.tag.name) } }
        let stored = try connection.execute(
            """
            SELECT count(*) FROM unnest($1::bigint[], $2::text[]) AS w (node_id, tag)
            JOIN \(schema.qualified("series")) s ON s.node_id = w.node_id AND s.tag = w.tag
            """, [.int8Array(wanted.map(\.0)), .textArray(wanted.map(\.1))])
        newSeries = names.count - Int(try stored.int64(0, 0))
    }
}
