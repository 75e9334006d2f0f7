extension ConfigurationSchema {
    mutating func domain(_ entry: ConfigurationSection.Entry) -> Configuration.Domain {
        if !Self.isDomainName(entry.key) {
            reader.report(
                "expected a name of 1 to 63 characters out of a-z, 0-9, _ and -, found \(ConfigurationScalar.show(entry.key))",
                at: entry.place)
        }
        let section = ConfigurationSection(entry.value, at: entry.place, keys: Keys.domain)
        var domain = Configuration.Domain(name: entry.key, postgres: Secret(""), brokers: [])

        if section.isMapping, section.required("postgres") != nil,
            let postgres = section.secret("postgres", expected: "a libpq connection string")
        {
            domain.postgres = postgres
        }
        if let schema = schemaName(section) { domain.schema = schema }
        if let choice = section.choice("unknown_nodes", of: Configuration.UnknownNodes.self) {
            domain.unknownNodes = choice
        }
        if let lanes = section.integer("lanes", in: 1...64) { domain.lanes = lanes }

        let flush = section.section("flush", keys: Keys.flush)
        if let interval = flush.duration("interval", in: .milliseconds(1) ... .seconds(3600)) {
            domain.flush.interval = interval
        }
        if let points = flush.integer("max_points", in: 1...10_000_000) { domain.flush.maxPoints = points }

        let timestamps = section.section("timestamps", keys: Keys.timestamps)
        if let oldest = timestamp("oldest", of: timestamps) { domain.timestamps.oldest = oldest }
        if let newest = timestamps.duration("newest", in: .zero...Self.longestSpan) {
            domain.timestamps.newest = newest
        }

        if let choice = section.choice("commit", of: Configuration.Commit.self) { domain.commit = choice }
        domain.storage = storage(section, timestamps: domain.timestamps)

        let replace = section.section("replace", keys: Keys.replace)
        if let span = replace.duration("max_span", in: Self.shortestSpan...Self.longestSpan) {
            domain.replace.maxSpan = span
        }

        if let time = section.duration("silent_after", in: Self.shortestSpan...Self.longestSpan) {
            domain.silentAfter = time
        }

        if let path = section.text("keys_file", expected: "the path of a file", maxBytes: 4095) {
            domain.keysFile = reader.files.resolve(path)
        }
        if section.isMapping, !section.has("mqtt"), !section.has("keys_file") {
            reader.report("missing key `mqtt` or `keys_file`: where do points come from?", at: section.place)
        }
        if withIntake, let mqtt = section.entry("mqtt") {
            let brokers = mqtt.value.elements(
                expected: "a list of brokers, each with a topic or more to take points from")
            domain.brokers = (brokers ?? []).compactMap { broker($0, longestSpan: domain.replace.maxSpan) }
        }
        return domain
    }

    private func storage(
        _ domain: ConfigurationSection, timestamps: Configuration.Timestamps
    ) -> Configuration.Storage {
        let section = domain.section("storage", keys: Keys.storage)
        var storage = Configuration.Storage()
        if let engine = section.choice("engine", of: PointEngine.self) { storage.engine = engine }
        if let interval = section.calendarInterval("interval") { storage.interval = interval }
        storage.retention = section.calendarInterval("retention")
        storage.compressAfter = section.calendarInterval("compress_after")

        func refuse(_ key: String, _ message: String) {
            if let entry = section.entry(key) { reader.report(message, at: entry.place) }
        }
        if storage.interval.approximateHours > CalendarInterval.years(1).approximateHours {
            refuse("interval", "expected at most 1 year, found \(storage.interval)")
        }
        switch storage.engine {
        case .timescaledb: break
        case .partitions:
            refuse("compress_after", "only the engine timescaledb compresses")
        case .plain, .citus:
            for key in ["interval", "retention", "compress_after"] {
                refuse(key, "has no meaning with the engine \(storage.engine.rawValue), which has no partitions")
            }
        }
        let most = Configuration.Storage.mostPartitions
        let partitions = storage.partitions(of: timestamps, at: .now)
        if storage.engine == .partitions, partitions > most, let place = domain.entry("storage")?.place {
            reader.report(
                "points may come for \(partitions) partitions of \(storage.interval), and \(most) are the most that make sense; "
                    + "choose a longer storage.interval, a storage.retention, or bounds of timestamps that are nearer to now",
                at: place)
        }
        return storage
    }

    static func isDomainName(_ name: String) -> Bool {
        (1...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// Only names that are the same with and without quotes, so that a person who types them into psql finds the tables.
    /// PostgreSQL cuts longer ones off (NAMEDATALEN) and keeps `pg_…` and `information_schema` for itself.
    private func schemaName(_ section: ConfigurationSection) -> String? {
        let expected = "a schema name of 1 to 63 characters out of a-z, 0-9 and _, not starting with a digit or pg_"
        return section.read("schema", expected: expected) { scalar throws(ScalarProblem) in
            let name = scalar.text
            guard Self.isDomainName(name), !name.utf8.contains(UInt8(ascii: "-")),
                let first = name.utf8.first, !(0x30...0x39).contains(first),
                !name.hasPrefix("pg_"), name != "information_schema"
            else { throw scalar.unexpected(expected) }
            return name
        }
    }

    /// RFC 3339, or a date alone for its midnight UTC.
    private func timestamp(_ key: String, of section: ConfigurationSection) -> Timestamp? {
        let expected = "a date such as 1990-01-01 or an RFC 3339 time such as 1990-01-01T00:00:00Z"
        return section.read(key, expected: expected) { scalar throws(ScalarProblem) in
            let midnight = scalar.text.utf8.count == 10 ? "T00:00:00Z" : ""
            guard let timestamp = Timestamp(rfc3339: scalar.text + midnight) else { throw scalar.unexpected(expected) }
            return timestamp
        }
    }
}
