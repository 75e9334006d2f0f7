extension ConfigurationSchema {
    /// What a broker tells sessions apart by, as far as the configuration shows it: two names of one host stay two.
    struct Session: Hashable {
        var host: String
        var port: UInt16
        var clientID: String
    }

    /// nil when its address or its client id has a problem.
    mutating func broker(_ value: ConfigurationValue, longestSpan: Duration) -> Configuration.Broker? {
        let section = ConfigurationSection(value, keys: Keys.broker)
        guard section.isMapping else { return nil }
        let address = section.required("broker") == nil ? nil : address(section)
        let clientID = section.required("client_id") == nil ? nil : section.text("client_id", expected: "a client id")
        if let address, let clientID { checkSession(address, clientID, of: section) }

        var broker = Configuration.Broker(
            address: address ?? Configuration.BrokerAddress(host: ""), clientID: clientID ?? "", subscriptions: [])
        broker.username = section.text("username", expected: "a user name")
        broker.password = password(section)
        broker.tls = tls(section, address: address)
        let longestExpiry = Duration.seconds(Int64(UInt32.max) - 1)
        if let expiry = section.duration("session_expiry", in: .seconds(1)...longestExpiry, wholeSeconds: true) {
            broker.sessionExpiry = expiry
        }
        if let maximum = section.integer("receive_maximum", in: 1...65_535) { broker.receiveMaximum = UInt16(maximum) }
        if let keepAlive = section.duration("keep_alive", in: .seconds(5) ... .seconds(3600), wholeSeconds: true) {
            broker.keepAlive = keepAlive
        }
        if let entry = section.required("subscriptions") {
            broker.subscriptions = subscriptions(entry.value, longestSpan: longestSpan)
        }
        return address == nil || clientID == nil ? nil : broker
    }

    private func address(_ section: ConfigurationSection) -> Configuration.BrokerAddress? {
        let form = Configuration.BrokerAddress.form
        return section.read("broker", expected: form) { scalar throws(ScalarProblem) in
            if let address = Configuration.BrokerAddress(parsing: scalar.text) { return address }
            if scalar.text.contains("@") {
                // Not shown: a password may stand before the @.
                throw ScalarProblem(
                    message: "expected \(form); the user goes into `username` and the password into `password_file`")
            }
            let authority = scalar.text.split(separator: "://", maxSplits: 1).last ?? ""
            let hint: String? =
                if authority.contains("/") || authority.contains("?") {
                    "nothing may follow the port"
                } else if authority.count(where: { $0 == ":" }) > 1, !authority.hasPrefix("[") {
                    "an IPv6 address goes into brackets"
                } else {
                    nil
                }
            throw scalar.unexpected(form, hint: hint)
        }
    }

    private mutating func checkSession(
        _ address: Configuration.BrokerAddress, _ clientID: String, of section: ConfigurationSection
    ) {
        guard let entry = section.entry("client_id") else { return }
        let session = Session(host: address.host.lowercased(), port: address.port, clientID: clientID)
        if let first = sessions[session] {
            let line = first.mark.map { " (line \($0.line))" } ?? ""
            entry.value.report(
                "\(first.path)\(line) has the same client id at the same broker, "
                    + "which would disconnect the one whenever the other connects")
        } else {
            sessions[session] = entry.value.place
        }
    }

    private func password(_ section: ConfigurationSection) -> Secret? {
        if let both = section.entry("password_file"), section.has("password") {
            reader.report("give either `password_file` or `password`, not both", at: both.place)
            return nil
        }
        guard section.has("password_file") else { return section.secret("password", expected: "a password") }
        guard let (path, content) = section.file("password_file"), let entry = section.entry("password_file") else {
            return nil
        }
        let lineEnds: Set<UInt8> = [UInt8(ascii: "\n"), UInt8(ascii: "\r")]
        let end = content.lastIndex { !lineEnds.contains($0) }.map { $0 + 1 } ?? 0
        guard let text = String(validating: content[..<end], as: UTF8.self), !text.utf8.contains(0) else {
            entry.value.report("\(path) is not UTF-8 text")
            return nil
        }
        if text.isEmpty || end > 65_535 {
            entry.value.report(text.isEmpty ? "\(path) is empty" : "\(path) is longer than 65535 bytes")
            return nil
        }
        return Secret(text)
    }

    private func tls(_ section: ConfigurationSection, address: Configuration.BrokerAddress?) -> Configuration.TLS {
        guard let entry = section.entry("tls") else { return Configuration.TLS() }
        if let address, !address.tls {
            reader.report("only goes with a broker at mqtts://", at: entry.place)
        }
        let files = section.section("tls", keys: Keys.tls)
        for (given, missing) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
            if let given = files.entry(given), !files.has(missing) {
                reader.report("needs `\(missing)` beside it", at: given.place)
            }
        }
        return Configuration.TLS(
            caFile: files.file("ca_file")?.path, certificateFile: files.file("cert_file")?.path,
            keyFile: files.file("key_file")?.path)
    }

    // MARK: - Subscriptions

    private func subscriptions(_ value: ConfigurationValue, longestSpan: Duration) -> [Configuration.Subscription] {
        var lines: [String: Int] = [:]  // of the first subscription to each filter
        var subscriptions: [Configuration.Subscription] = []
        for element in value.elements(expected: "a list of subscriptions, each with a topic") ?? [] {
            let section = ConfigurationSection(element, keys: Keys.subscription)
            guard section.isMapping, let subscription = subscription(section, longestSpan: longestSpan),
                let topic = section.entry("topic")
            else { continue }
            // MQTT keeps one subscription per filter: the second would replace the first (MQTT 5, section 3.8.4).
            if let line = lines[subscription.topic.filter] {
                topic.value.report(
                    "this session has a subscription to \(ConfigurationScalar.show(subscription.topic.filter)) already (line \(line))"
                )
            } else {
                lines[subscription.topic.filter] = topic.value.place.mark?.line
                subscriptions.append(subscription)
            }
        }
        return subscriptions
    }

    private func subscription(_ section: ConfigurationSection, longestSpan: Duration) -> Configuration.Subscription? {
        let topic = section.required("topic") == nil ? nil : topic(section)
        let overwrite = section.choice("overwrite", of: Overwrite.self)
        let epoch = section.choice("epoch", of: EpochUnit.self)
        // Where the mode itself is wrong, the keys that go with it are left in peace.
        if overwrite != .replaceWindow, overwrite != nil || !section.has("overwrite") {
            for entry in ["max_gap", "max_span"].compactMap({ section.entry($0) }) {
                reader.report("only goes with `overwrite: replace_window`", at: entry.place)
            }
        }
        let gap = section.duration("max_gap", in: Self.shortestSpan...Self.longestSpan)
        let span = section.duration("max_span", in: Self.shortestSpan...Self.longestSpan)
        if let span, span > longestSpan, let entry = section.entry("max_span") {
            let (most, found) = (DurationText.format(longestSpan), DurationText.format(span))
            entry.value.report("expected at most the domain's `replace.max_span`, \(most); found \(found)")
        }
        guard let topic else { return nil }
        var subscription = Configuration.Subscription(topic: topic)
        if let overwrite { subscription.overwrite = overwrite }
        subscription.epoch = epoch
        if let gap { subscription.maxGap = gap }
        // A domain with a tighter guard than the default span tightens the default.
        subscription.maxSpan = span ?? min(subscription.maxSpan, longestSpan)
        return subscription
    }
    private func topic(_ section: ConfigurationSection) -> TopicTemplate? {
        section.read("topic", expected: "a topic such as nodes/{node}/{tag}") { scalar throws(ScalarProblem) in
            do throws(TopicTemplateError) {
                return try TopicTemplate(scalar.text)
            } catch {
                throw ScalarProblem(message: "\(error.message); found \(scalar.found)")
            }
        }
    }
}
