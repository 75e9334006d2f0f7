import Logging

/// Which keys there are, and what each may hold: from the file's tree to `Configuration`.
///
/// A value that is missing or was reported leaves its default; `ConfigurationReader.finish` sees to it that nobody gets a
/// configuration with a problem in it.
struct ConfigurationSchema {
    /// The keys of each mapping, in the order in which `config/windrow.yaml` explains them.
    enum Keys {
        static let top = ["log_level", "http", "journal", "limits", "domains"]
        static let http = [
            "listen", "admin", "tls", "max_body", "commit_timeout", "request_timeout", "idle_timeout", "max_requests",
            "max_connections",
        ]
        static let serverTLS = ["cert_file", "key_file"]
        static let journal = ["directory", "max_size", "keep", "max_dead_letters"]
        static let limits = ["memory"]
        static let domain = [
            "postgres", "schema", "commit", "storage", "unknown_nodes", "lanes", "flush", "timestamps", "replace",
            "silent_after",
            "keys_file", "mqtt",
        ]
        static let storage = ["engine", "interval", "retention", "compress_after"]
        static let flush = ["interval", "max_points"]
        static let timestamps = ["oldest", "newest"]
        static let replace = ["max_span"]
        static let broker = [
            "broker", "client_id", "username", "password_file", "password", "tls", "session_expiry", "receive_maximum",
            "keep_alive", "subscriptions",
        ]
        static let tls = ["ca_file", "cert_file", "key_file"]
        static let subscription = ["topic", "overwrite", "epoch", "max_gap", "max_span"]

        static let all =
            top + http + journal + limits + domain + storage + flush + timestamps + replace + broker + tls
            + subscription
    }

    static let longestSpan = Duration.seconds(36_500 * 86_400)
    static let longestKeep = Duration.seconds(30 * 86_400)
    static let shortestSpan = Duration.milliseconds(1)

    let reader: ConfigurationReader
    /// Whether `http` and `mqtt` are looked at.
    let withIntake: Bool
    /// Where each MQTT session is configured first.
    var sessions: [Session: ConfigurationPlace] = [:]

    init(reader: ConfigurationReader, withIntake: Bool) {
        self.reader = reader
        self.withIntake = withIntake
    }

    mutating func configuration(_ root: ConfigurationValue) -> Configuration {
        let section = ConfigurationSection(root, keys: Keys.top)
        return Configuration(
            logLevel: section.choice("log_level", of: Logger.Level.self) ?? .info,
            http: withIntake ? http(section.section("http", keys: Keys.http)) : Configuration.HTTP(),
            journal: journal(section.section("journal", keys: Keys.journal)),
            limits: limits(section.section("limits", keys: Keys.limits)),
            domains: section.isMapping ? domains(section) : [])
    }

    private func journal(_ section: ConfigurationSection) -> JournalConfiguration {
        let bounds: ClosedRange<Int64> = 1 << 20...16 << 40
        var journal = JournalConfiguration()
        if let directory = section.text("directory", expected: "the path of a folder", maxBytes: 4095) {
            journal.directory = reader.files.absolute(directory)
        }
        if let size = section.size("max_size", in: bounds) { journal.maxSize = size }
        if let time = section.duration("keep", in: .zero...Self.longestKeep) { journal.keep = time }
        if let size = section.size("max_dead_letters", in: bounds) { journal.maxDeadLetters = size }
        return journal
    }

    private func limits(_ section: ConfigurationSection) -> Configuration.Limits {
        var limits = Configuration.Limits()
        if let memory = section.size("memory", in: 1 << 20...1 << 40) { limits.memory = memory }
        return limits
    }

    private mutating func domains(_ section: ConfigurationSection) -> [Configuration.Domain] {
        guard let entry = section.required("domains") else { return [] }
        let domains = ConfigurationSection(entry.value, at: entry.place, keys: nil)
        if domains.isMapping, domains.entries.isEmpty { reader.report("expected at least one domain", at: entry.place) }
        return domains.entries.map { domain($0) }
    }
}
