/// A fleet of gateways, described. The same values give the same messages in the same order, byte by byte.
public struct Fleet: Sendable, Equatable {
    public var seed: UInt64
    /// When the fleet begins to measure: microseconds since 1970-01-01 UTC.
    public var start: Int64
    /// A connection each.
    public var gateways = 50
    public var nodesPerGateway = 10
    /// Of each node: `sim1`, `sim2` and so on.
    public var tags = 2
    /// The id of the first node; the others follow it.
    public var firstNode: Int64 = 1_000_000
    /// Points that the fleet measures in a second; nil: as many as are acknowledged.
    public var rate: Double? = 1000
    public var pointsPerMessage = 1
    /// How far a reading strays from its regular time, as a share of the interval; 0 to 0.9.
    public var jitter = 0.1
    /// Shares of the messages, 0 to 1: sent three rounds later; sent twice; followed by one that corrects it.
    public var late = 0.01
    public var duplicates = 0.01
    public var corrections = 0.01
    /// Seconds of old readings, ten minutes apart, that the first of the gateways send beside the new ones.
    public var backfill = 0
    public var backfillGateways = 0.1
    /// Ends the plan after so many measured points, rounded up to whole messages of all gateways.
    public var pointLimit: Int?

    public init(seed: UInt64, start: Int64) {
        self.seed = seed
        self.start = start
    }

    public var seriesPerGateway: Int { nodesPerGateway * tags }
    public var seriesCount: Int { gateways * seriesPerGateway }
    /// The ids of all its nodes.
    public var nodes: ClosedRange<Int64> { firstNode...(firstNode + Int64(gateways * nodesPerGateway) - 1) }
    public var tagNames: [String] { (1...tags).map { "sim\($0)" } }
}

/// What cannot be simulated, in words for the user.
public struct FleetError: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

extension Fleet {
    /// The largest id that PostgreSQL has room for.
    private static let lastNode = Int64.max

    /// - Throws: the first thing that makes no sense.
    public func validate() throws(FleetError) {
        try demand((1...100_000).contains(gateways), "--gateways must be 1 to 100000")
        try demand((1...1_000_000).contains(nodesPerGateway), "--nodes-per-gateway must be 1 to 1000000")
        try demand((1...1000).contains(tags), "--tags must be 1 to 1000")
        let (nodes, overflow) = Int64(gateways).multipliedReportingOverflow(by: Int64(nodesPerGateway))
        try demand(
            !overflow && firstNode > 0 && firstNode <= Self.lastNode - nodes,
            "--first-node must be a positive integer with room for \(nodes) nodes behind it")
        try demand(seriesCount <= 100_000_000, "\(seriesCount) series are too many: at most 100000000")
        try demand(rate.map { $0 > 0 && $0 <= 1e9 } ?? true, "--rate must be a number of points per second, or max")
        try demand((1...10_000).contains(pointsPerMessage), "--points-per-message must be 1 to 10000")
        try demand((0...0.9).contains(jitter), "--jitter must be 0 to 0.9")
        for (name, share) in [("late", late), ("duplicates", duplicates), ("corrections", corrections)] {
            try demand((0...1).contains(share), "--\(name) is a share of the messages, 0 to 1")
        }
        try demand((0...1).contains(backfillGateways), "--backfill-gateways is a share of the gateways, 0 to 1")
        try demand((0...3650 * 86_400).contains(backfill), "--backfill must be 0 to 3650 days")
        try demand(pointLimit.map { $0 > 0 } ?? true, "--points must be at least 1")
    }

    private func demand(_ condition: Bool, _ message: String) throws(FleetError) {
        if !condition { throw FleetError(message) }
    }
}
