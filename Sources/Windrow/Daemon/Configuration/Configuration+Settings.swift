import Crypto

// A configuration as a list of settings, each under the keys that lead to it: what a running daemon and a file have different, and
// what a reload does about it, can then be told in the operator's words.

extension Configuration {
    /// One value of a configuration.
    struct Setting: Hashable, Sendable, Codable {
        /// The keys that lead to it. Sessions and topics stand for their places in the lists, which may shift.
        var key: String
        /// As the configuration writes it; of a secret only what tells it from another one.
        var value: String
        var isSecret = false
        /// When it takes effect if it is changed.
        var effect: Effect
        /// What it is a part of, the outermost first: TLS of our own, a domain, a session.
        var groups: [Group] = []
    }

    /// What comes and goes whole.
    struct Group: Hashable, Sendable, Codable {
        var key: String
        /// When it comes or goes.
        var effect: Effect
    }

    enum Effect: Int, Comparable, Sendable, Codable {
        case reload
        /// At the reload, with a new connection to the broker.
        case reconnect
        case restart

        static func < (a: Effect, b: Effect) -> Bool { a.rawValue < b.rawValue }
    }

    /// All of them, in the order of the configuration.
    /// - Parameter salt: makes what is told of the secrets worthless elsewhere.
    func settings(salt: String) -> [Setting] {
        var list = SettingList(salt: salt)
        list.add("log_level", logLevel.rawValue)
        list.add(http)
        list.add("journal.directory", journal.directory, .restart)
        list.add("journal.max_size", SizeText.format(journal.maxSize))
        list.add("journal.keep", DurationText.format(journal.keep))
        list.add("journal.max_dead_letters", SizeText.format(journal.maxDeadLetters))
        list.add("limits.memory", SizeText.format(limits.memory))
        for domain in domains { list.add(domain) }
        return list.settings
    }
}

private struct SettingList {
    var settings: [Configuration.Setting] = []
    private var groups: [Configuration.Group] = []
    private let salt: String

    init(salt: String) {
        self.salt = salt
    }

    mutating func add(_ key: String, _ value: String, _ effect: Configuration.Effect = .reload) {
        settings.append(Configuration.Setting(key: key, value: value, effect: effect, groups: groups))
    }

    mutating func add(_ key: String, _ duration: Duration, _ effect: Configuration.Effect = .reload) {
        add(key, DurationText.format(duration), effect)
    }

    private mutating func add(secret key: String, _ value: String, _ effect: Configuration.Effect) {
        let digest = SHA256.hash(data: Array("\(salt) \(value)".utf8)).map { String($0, radix: 16) }.joined()
        settings.append(
            Configuration.Setting(key: key, value: digest, isSecret: true, effect: effect, groups: groups))
    }

    /// A file counts by its path and its content.
    private mutating func add(file key: String, _ path: String, _ effect: Configuration.Effect) {
        let content = Configuration.digest(ofFile: path).prefix(4).map { String($0, radix: 16) }.joined()
        add(key, "\(path) (content \(content))", effect)
    }

    // MARK: The sections

    mutating func add(_ http: Configuration.HTTP) {
        add("http.listen", http.listen?.description ?? "off", .restart)
        add("http.admin", http.admin?.description ?? "off", .restart)
        if let tls = http.tls {
            groups = [Configuration.Group(key: "http.tls", effect: .restart)]
            add(file: "http.tls.cert_file", tls.certificateFile, .reload)
            add(file: "http.tls.key_file", tls.keyFile, .reload)
            groups = []
        }
        add("http.max_body", SizeText.format(http.maxBody))
        add("http.max_requests", "\(http.maxRequests)")
        add("http.max_connections", "\(http.maxConnections)", .restart)
        add("http.commit_timeout", http.commitTimeout)
        add("http.request_timeout", http.requestTimeout)
        add("http.idle_timeout", http.idleTimeout)
    }

    mutating func add(_ domain: Configuration.Domain) {
        let key = "domains.\(domain.name)"
        groups = [Configuration.Group(key: key, effect: .restart)]
        defer { groups = [] }
        add(secret: "\(key).postgres", domain.postgres.reveal, .restart)
        add("\(key).schema", domain.schema, .restart)
        add("\(key).commit", domain.commit.rawValue, .restart)
        add("\(key).storage.engine", domain.storage.engine.rawValue, .restart)
        add("\(key).storage.interval", "\(domain.storage.interval)", .restart)
        add("\(key).storage.retention", domain.storage.retention?.description ?? "off")
        add("\(key).storage.compress_after", domain.storage.compressAfter?.description ?? "off", .restart)
        add("\(key).lanes", "\(domain.lanes)", .restart)
        add("\(key).unknown_nodes", domain.unknownNodes.rawValue)
        add("\(key).flush.interval", domain.flush.interval)
        add("\(key).flush.max_points", "\(domain.flush.maxPoints)")
        add("\(key).silent_after", domain.silentAfter)
        add("\(key).timestamps.oldest", "\(domain.timestamps.oldest)")
        add("\(key).timestamps.newest", domain.timestamps.newest)
        add("\(key).replace.max_span", domain.replace.maxSpan)
        add("\(key).keys_file", domain.keysFile ?? "none", domain.keysFile == nil ? .restart : .reload)
        for broker in domain.brokers { add(broker, key) }
    }

    private mutating func add(_ broker: Configuration.Broker, _ domain: String) {
        let key = "\(domain).mqtt[\(BrokerConnection.name(of: broker))]"
        groups.append(Configuration.Group(key: key, effect: .reload))
        defer { groups.removeLast() }
        if let username = broker.username { add("\(key).username", username, .reconnect) }
        if let password = broker.password { add(secret: "\(key).password", password.reveal, .reconnect) }
        let files = [
            ("ca_file", broker.tls.caFile), ("cert_file", broker.tls.certificateFile), ("key_file", broker.tls.keyFile),
        ]
        for (name, path) in files { if let path { add(file: "\(key).tls.\(name)", path, .reconnect) } }
        add("\(key).session_expiry", broker.sessionExpiry, .reconnect)
        add("\(key).receive_maximum", "\(broker.receiveMaximum)", .reconnect)
        add("\(key).keep_alive", broker.keepAlive, .reconnect)
        for subscription in broker.subscriptions {
            let key = "\(key).subscriptions[\(subscription.topic.text)]"
            add("\(key).overwrite", subscription.overwrite.rawValue)
            if let epoch = subscription.epoch { add("\(key).epoch", epoch.rawValue) }
            guard subscription.overwrite == .replaceWindow else { continue }
            add("\(key).max_gap", subscription.maxGap)
            add("\(key).max_span", subscription.maxSpan)
        }
    }
}

extension Configuration {
    /// Tells contents apart; of a file that cannot be read it is empty, as its user will tell.
    fileprivate static func digest(ofFile path: String) -> [UInt8] {
        (try? readFile(path)).map { Array(SHA256.hash(data: $0)) } ?? []
    }
}

extension Configuration.TLS {
    /// Tells the contents of the files apart.
    var digest: [UInt8] {
        [caFile, certificateFile, keyFile].flatMap { $0.map(Configuration.digest(ofFile:)) ?? [0] }
    }
}
