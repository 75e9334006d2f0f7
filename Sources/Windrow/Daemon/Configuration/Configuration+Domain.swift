extension Configuration {
    /// One tenant: its database, its guards, and where its points come from.
    public struct Domain: Hashable, Sendable {
        /// 1 to 63 characters of `a-z 0-9 _ -`: it names a folder and a part of URLs.
        public var name: String
        /// A libpq connection string, in either of its forms. Not empty; libpq has the last word on what is in it.
        public var postgres: Secret
        /// The PostgreSQL schema that holds the tables: lower-case letters, digits and `_`, at most 63 bytes. It may be a word
        /// that SQL reserves, so it has to be quoted.
        public var schema: String
        public var commit: Commit
        public var storage: Storage
        public var unknownNodes: UnknownNodes
        /// PostgreSQL connections; 1 to 64.
        public var lanes: Int
        public var flush: Flush
        public var timestamps: Timestamps
        public var replace: Replace
        /// A series of which nothing new comes for longer than usual is called silent, but not before this has passed; above 0, at most
        /// 36,500 days.
        public var silentAfter: Duration
        /// The absolute path of the file with the keys of HTTP clients, which need not be there yet; nil: the domain takes no HTTP.
        public var keysFile: String?
        /// At least one, unless there is a `keysFile`.
        public var brokers: [Broker]

        public init(
            name: String, postgres: Secret, schema: String = "windrow", commit: Commit = .remote,
            storage: Storage = Storage(),
            unknownNodes: UnknownNodes = .create,
            lanes: Int = 2,
            flush: Flush = Flush(), timestamps: Timestamps = Timestamps(), replace: Replace = Replace(),
            silentAfter: Duration = .seconds(60), keysFile: String? = nil, brokers: [Broker]
        ) {
            self.name = name
            self.postgres = postgres
            self.schema = schema
            self.commit = commit
            self.storage = storage
            self.unknownNodes = unknownNodes
            self.lanes = lanes
            self.flush = flush
            self.timestamps = timestamps
            self.replace = replace
            self.silentAfter = silentAfter
            self.keysFile = keysFile
            self.brokers = brokers
        }
    }

    /// What PostgreSQL has done with a transaction when it answers that it is committed.
    public enum Commit: String, CaseIterable, Sendable {
        /// It is on the primary's disk.
        case local
        /// It is on the disks of the standbys, too, that the server's `synchronous_standby_names` names.
        case remote
    }

    /// How the points are stored: as one table, or by an engine that keeps growing tables quick.
    public struct Storage: Hashable, Sendable {
        /// Partitions that `timestamps` and the retention allow: PostgreSQL slows down with many more.
        static let mostPartitions = 4000

        public var engine: PointEngine
        /// Of time, in one partition or chunk. At most 1 year.
        public var interval: CalendarInterval
        /// Points that are older are dropped, a whole partition or chunk at a time; nil: none are.
        public var retention: CalendarInterval?
        /// TimescaleDB compresses chunks that are older; nil: none.
        public var compressAfter: CalendarInterval?

        public init(
            engine: PointEngine = .plain, interval: CalendarInterval = .weeks(1), retention: CalendarInterval? = nil,
            compressAfter: CalendarInterval? = nil
        ) {
            self.engine = engine
            self.interval = interval
            self.retention = retention
            self.compressAfter = compressAfter
        }

        /// How many partitions points may come for.
        func partitions(of timestamps: Timestamps, at now: Timestamp) -> Int {
            let oldest = max(timestamps.oldest, retention.map { now.advanced(by: -1, $0) } ?? .earliest)
            let newest = now.microseconds + timestamps.newest.microseconds
            let hours = Double(newest - oldest.microseconds) / 3_600_000_000
            return Int(hours / interval.approximateHours) + 1
        }
    }

    /// What happens to points of a node that the database does not know.
    public enum UnknownNodes: String, CaseIterable, Sendable {
        /// The node is added.
        case create
        /// The message or request is rejected.
        case reject
    }

    /// When a lane writes what is pending: whichever comes first.
    public struct Flush: Hashable, Sendable {
        /// Above 0, at most 1 hour.
        public var interval: Duration
        /// Points of one lane; 1 to 10,000,000.
        public var maxPoints: Int

        public init(interval: Duration = .seconds(1), maxPoints: Int = 50_000) {
            self.interval = interval
            self.maxPoints = maxPoints
        }
    }

    /// The guard against wrong clocks: points outside are rejected.
    public struct Timestamps: Hashable, Sendable {
        public var oldest: Timestamp
        /// How far ahead of now a point may be; 0 to 36,500 days.
        public var newest: Duration

        public init(
            oldest: Timestamp = Timestamp(microseconds: 631_152_000_000_000),  // 1990-01-01T00:00:00Z
            newest: Duration = .seconds(400 * 86_400)
        ) {
            self.oldest = oldest
            self.newest = newest
        }
    }

    /// The guard on what one edit may delete.
    public struct Replace: Hashable, Sendable {
        /// The longest window that `replace_window` may cover; above 0, at most 36,500 days.
        public var maxSpan: Duration

        public init(maxSpan: Duration = .seconds(400 * 86_400)) {
            self.maxSpan = maxSpan
        }
    }
}
