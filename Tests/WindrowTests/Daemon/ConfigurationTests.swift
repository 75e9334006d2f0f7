import Testing

@testable import Windrow

/// A text read as `windrow.yaml` in /etc/windrow, where only the given files exist.
func parseConfiguration(
    _ yaml: String, environment: [String: String] = [:], files: [String: String] = [:]
) throws(ConfigurationError) -> Configuration {
    try Configuration.parse(yaml, file: "windrow.yaml", folder: "/etc/windrow", environment: environment) {
        path throws(Configuration.UnreadableFile) in
        guard let content = files[path] else { throw Configuration.UnreadableFile(path: path, code: 2) }
        return Array(content.utf8)
    }
}

/// `config/windrow.yaml` of this repository.
private func exampleText() throws -> String {
    let path = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/config/windrow.yaml"
    return String(decoding: try Configuration.readFile(path), as: UTF8.self)
}

let minimalConfiguration = """
    domains:
      demo:
        postgres: dbname=demo
        mqtt:
          - broker: mqtt://localhost
            client_id: w
            subscriptions: [{topic: "nodes/{node}/{tag}"}]
    """

@Suite("A configuration")
struct ConfigurationTests {
    @Test("gets every documented default from the shortest file")
    func defaults() throws {
        let configuration = try parseConfiguration(minimalConfiguration)
        #expect(configuration.logLevel == .info)
        #expect(configuration.http.admin == Configuration.ListenAddress(host: "127.0.0.1", port: 8081))
        #expect(configuration.journal.directory == "/var/lib/windrow")
        #expect(configuration.journal.maxSize == 4 * 1024 * 1024 * 1024)
        #expect(configuration.journal.maxDeadLetters == 64 * 1024 * 1024)
        #expect(configuration.limits.memory == 256 * 1024 * 1024)

        let domain = try #require(configuration.domains.first)
        #expect(configuration.domains.count == 1)
        #expect(domain.name == "demo")
        #expect(domain.postgres.reveal == "dbname=demo")
        #expect(domain.schema == "windrow")
        #expect(domain.unknownNodes == .create)
        #expect(domain.lanes == 2)
        #expect(domain.flush.interval == .seconds(1))
        #expect(domain.flush.maxPoints == 50_000)
        #expect(domain.timestamps.oldest == Timestamp(rfc3339: "1990-01-01T00:00:00Z"))
        #expect(domain.timestamps.newest == .seconds(400 * 24 * 3600))
        #expect(domain.replace.maxSpan == .seconds(400 * 24 * 3600))

        let broker = try #require(domain.brokers.first)
        #expect(broker.address == Configuration.BrokerAddress(host: "localhost", port: 1883, tls: false))
        #expect(broker.clientID == "w")
        #expect(broker.username == nil)
        #expect(broker.password == nil)
        #expect(broker.tls == Configuration.TLS())
        #expect(broker.sessionExpiry == .seconds(7 * 24 * 3600))
        #expect(broker.receiveMaximum == 65_535)
        #expect(broker.keepAlive == .seconds(30))

        let subscription = try #require(broker.subscriptions.first)
        #expect(subscription.topic.text == "nodes/{node}/{tag}")
        #expect(subscription.overwrite == .insert)
        #expect(subscription.epoch == nil)
        #expect(subscription.maxGap == .seconds(3600))
        #expect(subscription.maxSpan == .seconds(24 * 3600))
    }

    @Test("has each of its values where the file says so")
    func allKeys() throws {
        let configuration = try parseConfiguration(
            """
            log_level: debug
            http: {admin: "[::1]:9000"}
            journal:
              directory: data
              max_size: 1GB
              max_dead_letters: 2MiB
            limits: {memory: 1TiB}
            domains:
              b-2:
                postgres: postgresql://a,b/db
                schema: _user
                unknown_nodes: reject
                lanes: 64
                flush: {interval: 250ms, max_points: 10000000}
                timestamps: {oldest: "2000-01-01T00:00:00Z", newest: 0s}
                replace: {max_span: 2w}
                mqtt:
                  - broker: mqtts://[fe80::1%eth0]:8884
                    client_id: "1"
                    username: u
                    password: p
                    tls: {ca_file: ca.pem, cert_file: /x/cert.pem, key_file: /x/key.pem}
                    session_expiry: 4294967294s
                    receive_maximum: 1
                    keep_alive: 1h
                    subscriptions:
                      - topic: $share/g/nodes/{node}/{tag}
                        overwrite: replace_window
                        epoch: ns
                        max_gap: 90m
                        max_span: 14d
                  - broker: mqtts://Broker.example
                    client_id: "1"
                    subscriptions:
                      - {topic: "a/{tag}/{node}", overwrite: update_window}
                      - {topic: "b/{tag}/{node}", overwrite: replace_window}
              a:
                postgres: x
                mqtt: [{broker: "mqtt://h", client_id: "1", subscriptions: [{topic: "{node}/{tag}"}]}]
            """,
            files: ["/etc/windrow/ca.pem": "A", "/x/cert.pem": "B", "/x/key.pem": "C"])

        let nodes = try TopicTemplate("$share/g/nodes/{node}/{tag}")
        let first = Configuration.Broker(
            address: .init(host: "fe80::1%eth0", port: 8884, tls: true), clientID: "1", username: "u",
            password: Secret("p"),
            tls: .init(caFile: "/etc/windrow/ca.pem", certificateFile: "/x/cert.pem", keyFile: "/x/key.pem"),
            sessionExpiry: .seconds(4_294_967_294), receiveMaximum: 1, keepAlive: .seconds(3600),
            subscriptions: [
                .init(
                    topic: nodes, overwrite: .replaceWindow, epoch: .nanoseconds, maxGap: .seconds(5400),
                    maxSpan: .seconds(14 * 86_400))
            ])
        let second = Configuration.Broker(
            address: .init(host: "Broker.example", port: 8883, tls: true), clientID: "1",
            subscriptions: [
                .init(topic: try TopicTemplate("a/{tag}/{node}"), overwrite: .updateWindow),
                .init(topic: try TopicTemplate("b/{tag}/{node}"), overwrite: .replaceWindow),
            ])
        let third = Configuration.Broker(
            address: .init(host: "h"), clientID: "1", subscriptions: [.init(topic: try TopicTemplate("{node}/{tag}"))])
        let expected = Configuration(
            logLevel: .debug, http: .init(admin: .init(host: "::1", port: 9000)),
            journal: JournalConfiguration(
                directory: "/etc/windrow/data", maxSize: 1_000_000_000, maxDeadLetters: 2_097_152),
            limits: .init(memory: 1 << 40),
            domains: [
                .init(
                    name: "b-2", postgres: Secret("postgresql://a,b/db"), schema: "_user", unknownNodes: .reject,
                    lanes: 64,
                    flush: .init(interval: .milliseconds(250), maxPoints: 10_000_000),
                    timestamps: .init(oldest: Timestamp(microseconds: 946_684_800_000_000), newest: .zero),
                    replace: .init(maxSpan: .seconds(14 * 86_400)), brokers: [first, second]),
                .init(name: "a", postgres: Secret("x"), brokers: [third]),
            ])
        #expect(configuration == expected)
    }

    @Test("takes every setting of HTTP, and a domain without a broker if it has a keys file")
    func http() throws {
        let configuration = try parseConfiguration(
            """
            http:
              listen: unix:/run/windrow/http.sock
              admin: off
              tls: {cert_file: /c.pem, key_file: k.pem}
              max_body: 1MiB
              commit_timeout: 250ms
              request_timeout: 2s
              idle_timeout: 3s
              max_requests: 7
              max_connections: 8
            domains:
              a: {postgres: x, keys_file: a.keys}
            """, files: ["/c.pem": "C", "/etc/windrow/k.pem": "K"])
        #expect(
            configuration
                == Configuration(
                    http: .init(
                        listen: .unix("/run/windrow/http.sock"), admin: nil,
                        tls: .init(certificateFile: "/c.pem", keyFile: "/etc/windrow/k.pem"), maxBody: 1 << 20,
                        maxRequests: 7,
                        maxConnections: 8, commitTimeout: .milliseconds(250), requestTimeout: .seconds(2),
                        idleTimeout: .seconds(3)),
                    domains: [.init(name: "a", postgres: Secret("x"), keysFile: "/etc/windrow/a.keys", brokers: [])]))
        #expect(try parseConfiguration("http: {listen: off}\n" + minimalConfiguration).http.listen == nil)
    }

    @Test("in the annotated example has the defaults and nothing else")
    func example() throws {
        var fromExample = try parseConfiguration(try exampleText())
        var shortest = try parseConfiguration(minimalConfiguration)
        // What has no default.
        fromExample.domains[0].postgres = Secret("")
        fromExample.domains[0].brokers[0].clientID = ""
        fromExample.domains[0].brokers[0].address.host = ""
        shortest.domains[0].postgres = Secret("")
        shortest.domains[0].brokers[0].clientID = ""
        shortest.domains[0].brokers[0].address.host = ""
        #expect(fromExample == shortest)
    }

    @Test("in the annotated example still parses when every optional key is taken in, with its default")
    func exampleUncommented() throws {
        let keys = ConfigurationSchema.Keys.all
        let text = try exampleText().split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            guard let hash = line.firstIndex(of: "#"), line[..<hash].allSatisfy({ $0 == " " }) else {
                return String(line)
            }
            let body = line[line.index(after: hash)...].dropFirst()
            let key = body.drop { $0 == " " }.prefix { $0 != ":" }
            let isOption = keys.contains(String(key)) && body.contains(": ") || body == "tls:"
            return isOption && !body.hasPrefix("password:") ? String(line[..<hash] + body) : String(line)
        }
        let yaml = text.joined(separator: "\n")
            .replacing("mqtt://127.0.0.1:1883", with: "mqtts://127.0.0.1")
            .replacing("overwrite: insert", with: "overwrite: replace_window")
            .replacing("engine: plain", with: "engine: timescaledb")
        let folder = "/etc/windrow/"
        let configuration = try parseConfiguration(
            yaml,
            files: [
                folder + "broker.password": "secret\n", folder + "ca.pem": "A", folder + "windrow.pem": "B",
                folder + "windrow.key": "C", folder + "server.pem": "D", folder + "server.key": "E",
            ])
        #expect(configuration.domains[0].keysFile == folder + "demo.keys")
        #expect(
            configuration.http.tls
                == .init(certificateFile: folder + "server.pem", keyFile: folder + "server.key"))
        let broker = configuration.domains[0].brokers[0]
        #expect(broker.username == "windrow")
        #expect(broker.password == Secret("secret"))
        #expect(broker.tls.keyFile == "/etc/windrow/windrow.key")
        let subscription = Configuration.Subscription(
            topic: try TopicTemplate("nodes/{node}/{tag}"), overwrite: .replaceWindow, epoch: .milliseconds)
        #expect(broker.subscriptions == [subscription])
    }

    @Test("in the annotated example names every key that is accepted", arguments: ConfigurationSchema.Keys.all)
    func exampleIsComplete(key: String) throws {
        let lines = try exampleText().split(separator: "\n")
        let named = lines.contains { line in
            let body = line.drop { $0 == " " || $0 == "#" || $0 == "-" }
            return body.hasPrefix("\(key):")
        }
        #expect(named)
    }

    @Test("takes the default where all keys of a mapping are commented out")
    func emptyMappings() throws {
        let yaml = minimalConfiguration.replacing(
            "    mqtt:", with: "    flush:\n    timestamps: ~\n    replace: {}\n    mqtt:")
        #expect(
            try parseConfiguration("http:\njournal:\nlimits: null\n" + yaml) == parseConfiguration(minimalConfiguration)
        )
    }

    @Test("can turn the admin server off")
    func adminOff() throws {
        #expect(try parseConfiguration("http: {admin: off}\n" + minimalConfiguration).http.admin == nil)
    }

    @Test("tightens the default of max_span to a shorter replace.max_span")
    func tightSpan() throws {
        let yaml = minimalConfiguration.replacing("    mqtt:", with: "    replace: {max_span: 6h}\n    mqtt:")
        #expect(try parseConfiguration(yaml).domains[0].brokers[0].subscriptions[0].maxSpan == .seconds(6 * 3600))
    }

    @Test("may use anchors and aliases")
    func aliases() throws {
        let configuration = try parseConfiguration(
            """
            domains:
              a:
                postgres: dbname=a
                flush: &calm {interval: 5s}
                mqtt:
                  - {broker: mqtt://h, client_id: a, subscriptions: &topics [{topic: "{node}/{tag}"}]}
              b:
                postgres: dbname=b
                flush: *calm
                mqtt:
                  - {broker: mqtt://h, client_id: b, subscriptions: *topics}
            """)
        #expect(configuration.domains.map(\.flush.interval) == [.seconds(5), .seconds(5)])
        #expect(configuration.domains[0].brokers[0].subscriptions == configuration.domains[1].brokers[0].subscriptions)
    }

    @Test("may have Windows line ends and a byte order mark")
    func windowsText() throws {
        #expect(
            try parseConfiguration("\u{FEFF}" + minimalConfiguration.replacing("\n", with: "\r\n"))
                == parseConfiguration(minimalConfiguration))
    }
}
