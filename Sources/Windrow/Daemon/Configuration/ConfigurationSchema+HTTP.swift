extension ConfigurationSchema {
    func http(_ section: ConfigurationSection) -> Configuration.HTTP {
        var http = Configuration.HTTP()
        if let listen = address(
            "listen", of: section, Configuration.BridgeAddress.init, Configuration.BridgeAddress.form)
        {
            http.listen = listen
        }
        if let admin = address("admin", of: section, Configuration.ListenAddress.init, Configuration.ListenAddress.form)
        {
            http.admin = admin
        }
        http.tls = serverTLS(section)
        if let size = section.size("max_body", in: 1 << 10...1 << 30) { http.maxBody = size }
        if let count = section.integer("max_requests", in: 1...100_000) { http.maxRequests = count }
        if let count = section.integer("max_connections", in: 1...1_000_000) { http.maxConnections = count }
        let hour = Duration.seconds(3600)
        if let timeout = section.duration("commit_timeout", in: .milliseconds(1)...hour) {
            http.commitTimeout = timeout
        }
        if let timeout = section.duration("request_timeout", in: .seconds(1)...hour) { http.requestTimeout = timeout }
        if let timeout = section.duration("idle_timeout", in: .seconds(1)...hour * 24) { http.idleTimeout = timeout }
        return http
    }

    /// nil when the key isn't there or has a problem; the inner nil when it is `off`.
    private func address<Address>(
        _ key: String, of section: ConfigurationSection, _ parse: (String) -> Address?, _ form: String
    ) -> Address?? {
        let expected = "\(form), or off"
        return section.read(key, expected: expected) { scalar throws(ScalarProblem) in
            if scalar.text == "off" { return Address?.none }
            guard let address = parse(scalar.text) else { throw scalar.unexpected(expected) }
            return address
        }
    }

    private func serverTLS(_ section: ConfigurationSection) -> Configuration.ServerTLS? {
        guard section.has("tls") else { return nil }
        let files = section.section("tls", keys: Keys.serverTLS)
        guard files.isMapping else { return nil }
        // Both are looked at, so that the operator learns of both.
        let certificate = files.requiredFile("cert_file")
        let key = files.requiredFile("key_file")
        guard let certificate, let key else { return nil }
        return Configuration.ServerTLS(certificateFile: certificate, keyFile: key)
    }
}

extension ConfigurationSection {
    fileprivate func requiredFile(_ key: String) -> String? {
        required(key) == nil ? nil : file(key)?.path
    }
}
