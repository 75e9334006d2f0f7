import Logging

/// What the operator wrote in `windrow.yaml`: checked, complete, and with every default filled in.
///
/// Plain values without I/O. `config/windrow.yaml` describes each key to operators; the defaults here and there are the same, and a
/// test holds them together.
public struct Configuration: Hashable, Sendable {
    /// The least that is logged.
    public var logLevel: Logger.Level
    public var http: HTTP
    public var journal: JournalConfiguration
    public var limits: Limits
    /// In the order of the file. At least one, each name once.
    public var domains: [Domain]

    public init(
        logLevel: Logger.Level = .info, http: HTTP = HTTP(), journal: JournalConfiguration = JournalConfiguration(),
        limits: Limits = Limits(),
        domains: [Domain]
    ) {
        self.logLevel = logLevel
        self.http = http
        self.journal = journal
        self.limits = limits
        self.domains = domains
    }

    /// Bounds on what the process takes of the machine.
    public struct Limits: Hashable, Sendable {
        /// Bytes of points that wait in memory for their flush, all domains together; more wait in the journal.
        /// 1 MiB to 1 TiB.
        public var memory: Int64

        public init(memory: Int64 = 256 << 20) {
            self.memory = memory
        }
    }
}

/// Where and how large the journals are. Every domain has one of its own, in the folder that bears its name.
public struct JournalConfiguration: Hashable, Sendable {
    /// Of a domain's journal.
    func folder(of domain: Configuration.Domain) -> String { directory + "/" + domain.name }

    /// The folder that holds one folder per domain.
    public var directory: String
    /// Bytes per domain; 1 MiB to 16 TiB, which is SQLite's own bound with pages of 4 KiB.
    public var maxSize: Int64
    /// How long batches stay in the journal that PostgreSQL has; 0 to 30 days. They give way when `maxSize` is near.
    public var keep: Duration
    /// Bytes of dead letters per domain; 1 MiB to 16 TiB.
    public var maxDeadLetters: Int64

    public init(
        directory: String = "/var/lib/windrow", maxSize: Int64 = 4 << 30, keep: Duration = .zero,
        maxDeadLetters: Int64 = 64 << 20
    ) {
        self.directory = directory
        self.maxSize = maxSize
        self.keep = keep
        self.maxDeadLetters = maxDeadLetters
    }
}
