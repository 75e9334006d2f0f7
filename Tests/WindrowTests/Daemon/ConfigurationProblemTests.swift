import Testing

@testable import Windrow

/// A bad file and all that is to be said about it.
struct BadConfiguration: CustomTestStringConvertible, Sendable {
    var yaml: String
    var problems: [String]

    init(_ yaml: String, _ problems: String...) {
        self.yaml = yaml
        self.problems = problems
    }

    /// A domain whose own keys begin on line 4.
    static func domain(_ lines: String, _ problems: String...) -> Self {
        var bad = Self("domains:\n  demo:\n    postgres: dbname=demo\n" + lines.indented(by: 4) + brokers)
        bad.problems = problems
        return bad
    }

    /// A broker whose own keys begin on line 6; it has a `subscriptions`.
    static func broker(_ lines: String, _ problems: String...) -> Self {
        var bad = Self(
            "domains:\n  demo:\n    postgres: dbname=demo\n    mqtt:\n    -\n" + lines.indented(by: 6)
                + "      subscriptions: [{topic: \"{node}/{tag}\"}]\n")
        bad.problems = problems
        return bad
    }

    /// A subscription whose keys begin on line 8.
    static func subscription(_ lines: String, _ problems: String...) -> Self {
        var bad = Self(
            "domains:\n  demo:\n    postgres: dbname=demo\n    mqtt:\n    - {broker: mqtt://h, client_id: w, subscriptions: [\n"
                + "      # here\n      {\n" + lines.indented(by: 8) + "    }]}\n")
        bad.problems = problems
        return bad
    }

    private static let brokers =
        "    mqtt: [{broker: mqtt://h, client_id: w, subscriptions: [{topic: \"{node}/{tag}\"}]}]\n"

    var testDescription: String { problems.joined(separator: " | ") }
}

extension String {
    fileprivate func indented(by width: Int) -> String {
        split(separator: "\n").map { String(repeating: " ", count: width) + $0 + "\n" }.joined()
    }
}

@Suite("A bad configuration")
struct ConfigurationProblemTests {
    private static func check(_ bad: BadConfiguration) {
        let error = #expect(throws: ConfigurationError.self) { try parseConfiguration(bad.yaml) }
        #expect(error?.description.split(separator: "\n").map(String.init) == bad.problems)
    }

    @Test(
        "is refused when it is not YAML, with the line and what to look at",
        arguments: [
            BadConfiguration(
                "http:\r\n\tadmin: off",
                "windrow.yaml:2: not valid YAML at column 1: found character that cannot start any token, while scanning for the "
                    + "next token; indent with spaces, for YAML takes no tabs there"),
            BadConfiguration(
                "domains:\n  a: b: c",
                "windrow.yaml:2: not valid YAML at column 7: mapping values are not allowed in this context; "
                    + "check the indentation, and quote a value that holds a colon"),
            BadConfiguration(
                "domains:\n  - b\n c: d",
                "windrow.yaml:3: not valid YAML at column 2: did not find expected key, while parsing a block mapping that began on "
                    + "line 1; check the indentation here and in the lines above, and the quotes and brackets"),
            BadConfiguration(
                "# passwords\na: \"x\n",
                "windrow.yaml:3: not valid YAML at column 1: found unexpected end of stream, while scanning a quoted scalar that "
                    + "began on line 2; a quote or a bracket is not closed"),
            BadConfiguration(
                "a: *x",
                "windrow.yaml:1: not valid YAML at column 4: found undefined alias; quote a text that starts with *"),
            BadConfiguration(
                "a: @x",
                "windrow.yaml:1: not valid YAML at column 4: found character that cannot start any token, while scanning for the "
                    + "next token; quote a value that starts with this character"),
            BadConfiguration(
                "é: é\nb: é\u{7}",
                "windrow.yaml:2: not valid YAML at column 5: control characters are not allowed"),
            BadConfiguration(
                "a: \"\\ud800\"",
                "windrow.yaml:1: not valid YAML at column 7: found invalid Unicode character escape code, while parsing a quoted scalar"
            ),
            BadConfiguration(
                String(repeating: "[", count: 1001),
                "windrow.yaml:1: not valid YAML at column 1: Maximum nesting level reached, set with yaml_set_max_nest_level()), "
                    + "while parsing"),
            BadConfiguration(
                "a: 1\n---\nb: 2", "windrow.yaml:2: a second document begins here; one file holds one configuration"),
            BadConfiguration(
                "# x\nhttp: {}\njournal:\n  max_size: 1GiB\n  directory: /x\n  max_size: 2GiB",
                "windrow.yaml:4: given more than once in one mapping, here for the first time: `max_size`"),
            BadConfiguration(
                "a: 1\n\"a\": 2", "windrow.yaml:1: given more than once in one mapping, here for the first time: `a`"),
        ])
    func syntax(bad: BadConfiguration) { Self.check(bad) }

    @Test("is refused when its values nest too deep or unfold too far")
    func unfolding() {
        let message = "windrow.yaml:1: too deep, or too large once its aliases are unfolded"
        Self.check(.init(String(repeating: "[", count: 900) + String(repeating: "]", count: 900), message))
        var bomb = "a0: &a0 [1]\n"
        for i in 1...20 {
            bomb += "a\(i): &a\(i) [\(Array(repeating: "*a\(i - 1)", count: 10).joined(separator: ","))]\n"
        }
        Self.check(.init(bomb, message))
    }

    @Test("is refused when it is larger than 1 MiB")
    func size() {
        let filler = String(repeating: "# nothing to see\n", count: 61_681)
        #expect(throws: Never.self) { try parseConfiguration(minimalConfiguration + "\n" + filler.dropLast(200)) }
        Self.check(
            .init(
                minimalConfiguration + filler, "windrow.yaml: is larger than 1MiB, which no configuration needs to be"))
    }

    @Test(
        "is refused when the top of the file is not as expected",
        arguments: [
            BadConfiguration("", "windrow.yaml: is empty; at least the key `domains` is needed"),
            BadConfiguration("# http:\n", "windrow.yaml: is empty; at least the key `domains` is needed"),
            BadConfiguration("---\n~\n", "windrow.yaml: is empty; at least the key `domains` is needed"),
            BadConfiguration(
                "\n- http\n",
                "windrow.yaml:2: expected a mapping (keys: log_level, http, journal, limits, domains), found a list"),
            BadConfiguration(
                "dbname=x password=y",
                "windrow.yaml:1: expected a mapping (keys: log_level, http, journal, limits, domains), found a single value"
            ),
            BadConfiguration("http: {}\n", "windrow.yaml:1: missing key `domains`"),
            BadConfiguration("# x\ndomains:\n", "windrow.yaml:2: domains: expected at least one domain"),
            BadConfiguration("domains: {}", "windrow.yaml:1: domains: expected at least one domain"),
            BadConfiguration("domains: [a]", "windrow.yaml:1: domains: expected a mapping, found a list"),
            BadConfiguration("? [a]\n: b\n" + minimalConfiguration, "windrow.yaml:1: expected a key, found a list"),
            BadConfiguration(
                "<<: {http: {}}\n" + minimalConfiguration,
                "windrow.yaml:1: <<: merge keys are not supported; an alias can stand for a whole value"),
            BadConfiguration(
                "http: !env {}\n" + minimalConfiguration,
                "windrow.yaml:1: http: YAML tags such as \"!env\" are not understood here"),
            BadConfiguration(
                "!x http: {}\n" + minimalConfiguration,
                "windrow.yaml:1: YAML tags such as \"!x\" are not understood here"),
            BadConfiguration(
                "\"a\\nb\": 1\n" + minimalConfiguration,
                "windrow.yaml:1: \"a\\nb\": unknown key. Accepted here: log_level, http, journal, limits, domains"),
            BadConfiguration(
                "journal: 5\nlimits: [5]\n" + minimalConfiguration,
                "windrow.yaml:1: journal: expected a mapping (keys: directory, max_size, keep, max_dead_letters), found a single value",
                "windrow.yaml:2: limits: expected a mapping (keys: memory), found a list"),
            BadConfiguration(
                "http: {admin: 8081}\njournal: {max_size: 100, max_dead_letters: 1023KiB, directory: }\nlimits: {memory: 2m}\n"
                    + minimalConfiguration,
                "windrow.yaml:1: http.admin: expected host:port, such as 127.0.0.1:8081 or [::1]:8081, or off, found \"8081\"",
                "windrow.yaml:2: journal.max_size: expected a size such as 512KiB, 64MiB or 4GiB, found \"100\"; "
                    + "add a unit, as in 64MiB",
                "windrow.yaml:2: journal.max_dead_letters: expected a size from 1MiB to 16TiB, found \"1023KiB\"",
                "windrow.yaml:2: journal.directory: expected the path of a folder, found nothing",
                "windrow.yaml:3: limits.memory: expected a size such as 512KiB, 64MiB or 4GiB, found \"2m\""),
        ])
    func top(bad: BadConfiguration) { Self.check(bad) }

    @Test(
        "says of http what each key takes",
        arguments: [
            BadConfiguration(
                "http:\n  listen: 8080\n  max_body: 16\n  max_requests: 0\n  commit_timeout: 0s\n  tls: {cert_file: a.pem}\n"
                    + minimalConfiguration,
                "windrow.yaml:2: http.listen: expected host:port, such as 127.0.0.1:8081 or [::1]:8081, or unix: and an absolute "
                    + "path of at most 107 bytes, such as unix:/run/windrow/http.sock, or off, found \"8080\"",
                "windrow.yaml:3: http.max_body: expected a size such as 512KiB, 64MiB or 4GiB, found \"16\"; add a unit, as in 64MiB",
                "windrow.yaml:4: http.max_requests: expected a whole number from 1 to 100000, found \"0\"",
                "windrow.yaml:5: http.commit_timeout: expected a duration from 1ms to 1h, found \"0s\"",
                "windrow.yaml:6: http.tls: missing key `key_file`",
                "windrow.yaml:6: http.tls.cert_file: cannot read /etc/windrow/a.pem: No such file or directory"),
            BadConfiguration(
                "http: {listen: \"unix:relative.sock\"}\n" + minimalConfiguration,
                "windrow.yaml:1: http.listen: expected host:port, such as 127.0.0.1:8081 or [::1]:8081, or unix: and an absolute "
                    + "path of at most 107 bytes, such as unix:/run/windrow/http.sock, or off, found \"unix:relative.sock\""
            ),
        ])
    func http(bad: BadConfiguration) { Self.check(bad) }

    @Test(
        "says of an unknown key which ones there are, and which was meant",
        arguments: [
            BadConfiguration(
                "domain: {}\n" + minimalConfiguration,
                "windrow.yaml:1: domain: unknown key; did you mean `domains`? Accepted here: log_level, http, journal, limits, domains"
            ),
            BadConfiguration(
                "http:\n  port: 8080\n" + minimalConfiguration,
                "windrow.yaml:2: http.port: unknown key. Accepted here: listen, admin, tls, max_body, commit_timeout, "
                    + "request_timeout, idle_timeout, max_requests, max_connections"),
            .domain(
                "flush:\n  max_point: 5\n  Interval: 1s",
                "windrow.yaml:5: domains.demo.flush.max_point: unknown key; did you mean `max_points`? "
                    + "Accepted here: interval, max_points",
                "windrow.yaml:6: domains.demo.flush.Interval: unknown key; did you mean `interval`? "
                    + "Accepted here: interval, max_points"),
            .domain(
                "keys: demo.keys",
                "windrow.yaml:4: domains.demo.keys: unknown key; did you mean `keys_file`? "
                    + "Accepted here: postgres, schema, commit, storage, unknown_nodes, lanes, flush, timestamps, replace, silent_after, keys_file, mqtt"
            ),
            .domain(
                "unknown-nodes: create",
                "windrow.yaml:4: domains.demo.unknown-nodes: unknown key; did you mean `unknown_nodes`? "
                    + "Accepted here: postgres, schema, commit, storage, unknown_nodes, lanes, flush, timestamps, replace, silent_after, keys_file, mqtt"
            ),
            .broker(
                "broker: mqtt://h\nclientID: w\nqos: 1",
                "windrow.yaml:6: domains.demo.mqtt[0]: missing key `client_id`",
                "windrow.yaml:7: domains.demo.mqtt[0].clientID: unknown key; did you mean `client_id`? Accepted here: broker, "
                    + "client_id, username, password_file, password, tls, session_expiry, receive_maximum, keep_alive, subscriptions",
                "windrow.yaml:8: domains.demo.mqtt[0].qos: unknown key. Accepted here: broker, client_id, username, password_file, "
                    + "password, tls, session_expiry, receive_maximum, keep_alive, subscriptions"),
        ])
    func unknownKeys(bad: BadConfiguration) { Self.check(bad) }

    @Test(
        "is refused for a domain that is wrong",
        arguments: [
            .domain(
                "flush:\n  interval: soon",
                "windrow.yaml:5: domains.demo.flush.interval: expected a duration such as 1s, 500ms, 5m, 2h or 7d, found \"soon\""
            ),
            .domain(
                "storage: {engine: plain, retention: 2 years}",
                "windrow.yaml:4: domains.demo.storage.retention: has no meaning with the engine plain, which has no partitions"
            ),
            .domain(
                "storage: {engine: partitions, interval: 2 fortnights, compress_after: 1 week}",
                "windrow.yaml:4: domains.demo.storage.interval: expected an interval such as 6 hours, 1 week, 3 months or 2 years, "
                    + "found \"2 fortnights\"",
                "windrow.yaml:4: domains.demo.storage.compress_after: only the engine timescaledb compresses"),
            .domain(
                "storage: {engine: partitions, interval: 2 years}",
                "windrow.yaml:4: domains.demo.storage.interval: expected at most 1 year, found 2 years"),
            .domain(
                "timestamps: {oldest: 1800-01-01, newest: 0s}\nstorage: {engine: partitions, interval: 1 week, retention: 200 years}",
                "windrow.yaml:5: domains.demo.storage: points may come for 10436 partitions of 1 week, and 4000 are the most that "
                    + "make sense; choose a longer storage.interval, a storage.retention, or bounds of timestamps that are nearer to now"
            ),
            .domain(
                "flush: {interval: 5, max_points: 0}",
                "windrow.yaml:4: domains.demo.flush.interval: expected a duration such as 1s, 500ms, 5m, 2h or 7d, found \"5\"; "
                    + "add a unit, as in 5s",
                "windrow.yaml:4: domains.demo.flush.max_points: expected a whole number from 1 to 10000000, found \"0\""
            ),
            .domain(
                "flush: {interval: 0s, max_points: many}",
                "windrow.yaml:4: domains.demo.flush.interval: expected a duration from 1ms to 1h, found \"0s\"",
                "windrow.yaml:4: domains.demo.flush.max_points: expected a whole number from 1 to 10000000, found \"many\""
            ),
            .domain(
                "flush: {interval: 3601s, max_points: 99999999999999999999}",
                "windrow.yaml:4: domains.demo.flush.interval: expected a duration from 1ms to 1h, found \"3601s\"",
                "windrow.yaml:4: domains.demo.flush.max_points: expected a whole number from 1 to 10000000, "
                    + "found \"99999999999999999999\""),
            .domain(
                "lanes:\nschema: [a]",
                "windrow.yaml:4: domains.demo.lanes: expected a whole number from 1 to 64, found nothing",
                "windrow.yaml:5: domains.demo.schema: expected a schema name of 1 to 63 characters out of a-z, 0-9 and _, "
                    + "not starting with a digit or pg_, found a list"),
            .domain(
                "lanes: 65\nschema: pg_x",
                "windrow.yaml:4: domains.demo.lanes: expected a whole number from 1 to 64, found \"65\"",
                "windrow.yaml:5: domains.demo.schema: expected a schema name of 1 to 63 characters out of a-z, 0-9 and _, "
                    + "not starting with a digit or pg_, found \"pg_x\""),
            .domain(
                "lanes: 0", "windrow.yaml:4: domains.demo.lanes: expected a whole number from 1 to 64, found \"0\""),
            .domain(
                "lanes: +2", "windrow.yaml:4: domains.demo.lanes: expected a whole number from 1 to 64, found \"+2\""),
            .domain(
                "unknown_nodes: creat",
                "windrow.yaml:4: domains.demo.unknown_nodes: expected one of create, reject, found \"creat\"; did you mean create?"
            ),
            .domain(
                "timestamps:\n  oldest: 1990-02-30\n  newest: 36501d\nreplace: {max_span: 0d}",
                "windrow.yaml:5: domains.demo.timestamps.oldest: expected a date such as 1990-01-01 or an RFC 3339 time such as "
                    + "1990-01-01T00:00:00Z, found \"1990-02-30\"",
                "windrow.yaml:6: domains.demo.timestamps.newest: expected a duration from 0s to 36500d, found \"36501d\"",
                "windrow.yaml:7: domains.demo.replace.max_span: expected a duration from 1ms to 36500d, found \"0d\""),
            BadConfiguration(
                "domains:\n  Demo/1:\n    postgres: x",
                "windrow.yaml:2: domains.Demo/1: expected a name of 1 to 63 characters out of a-z, 0-9, _ and -, found \"Demo/1\"",
                "windrow.yaml:2: domains.Demo/1: missing key `mqtt` or `keys_file`: where do points come from?"),
            BadConfiguration(
                "domains:\n  a:\n  b: dbname=b password=hush\n  c:\n    postgres: ''\n    mqtt: []",
                "windrow.yaml:2: domains.a: missing key `postgres`",
                "windrow.yaml:2: domains.a: missing key `mqtt` or `keys_file`: where do points come from?",
                "windrow.yaml:3: domains.b: expected a mapping (keys: postgres, schema, commit, storage, unknown_nodes, lanes, flush, timestamps, "
                    + "replace, silent_after, keys_file, mqtt), found a single value",
                "windrow.yaml:5: domains.c.postgres: expected a libpq connection string, found an empty text",
                "windrow.yaml:6: domains.c.mqtt: expected a list of brokers, each with a topic or more to take points from, "
                    + "found an empty list"),
            BadConfiguration(
                "domains:\n  a:\n    postgres: \"x\\0\"\n    mqtt:\n      broker: mqtt://h",
                "windrow.yaml:3: domains.a.postgres: must not contain a NUL character",
                "windrow.yaml:5: domains.a.mqtt: expected a list of brokers, each with a topic or more to take points from, "
                    + "found a mapping"),
        ])
    func domains(bad: BadConfiguration) { Self.check(bad) }

    @Test(
        "is refused for a broker that is wrong",
        arguments: [
            .broker(
                "session_expiry: 0s",
                "windrow.yaml:6: domains.demo.mqtt[0]: missing key `broker`",
                "windrow.yaml:6: domains.demo.mqtt[0]: missing key `client_id`",
                "windrow.yaml:6: domains.demo.mqtt[0].session_expiry: expected a duration from 1s to 4294967294s, found \"0s\""
            ),
            .broker(
                "broker: mqtt://h\nclient_id: ''\nusername:\npassword: []",
                "windrow.yaml:7: domains.demo.mqtt[0].client_id: expected a client id, found an empty text",
                "windrow.yaml:8: domains.demo.mqtt[0].username: expected a user name, found nothing",
                "windrow.yaml:9: domains.demo.mqtt[0].password: expected a password, found a list"),
            .broker(
                "broker: mqtt://h\nclient_id: \(String(repeating: "é", count: 32_768))",
                "windrow.yaml:7: domains.demo.mqtt[0].client_id: expected a client id of at most 65535 bytes, found 65536 bytes"
            ),
            .broker(
                "broker: mqtt://h\nclient_id: w\nsession_expiry: 1500ms\nreceive_maximum: 65536\nkeep_alive: 2h",
                "windrow.yaml:8: domains.demo.mqtt[0].session_expiry: expected whole seconds from 1s to 4294967294s, found \"1500ms\"",
                "windrow.yaml:9: domains.demo.mqtt[0].receive_maximum: expected a whole number from 1 to 65535, found \"65536\"",
                "windrow.yaml:10: domains.demo.mqtt[0].keep_alive: expected a duration from 5s to 1h, found \"2h\""),
            .broker(
                "broker: mqtt://h\nclient_id: w\ntls: {ca_file: /etc/ca.pem, key_file: k.pem}\n",
                "windrow.yaml:8: domains.demo.mqtt[0].tls: only goes with a broker at mqtts://",
                "windrow.yaml:8: domains.demo.mqtt[0].tls.ca_file: cannot read /etc/ca.pem: No such file or directory",
                "windrow.yaml:8: domains.demo.mqtt[0].tls.key_file: needs `cert_file` beside it",
                "windrow.yaml:8: domains.demo.mqtt[0].tls.key_file: cannot read /etc/windrow/k.pem: No such file or directory"
            ),
            .broker(
                "broker: mqtt://h\nclient_id: w\npassword: x\npassword_file: /y",
                "windrow.yaml:9: domains.demo.mqtt[0].password_file: give either `password_file` or `password`, not both"
            ),
            BadConfiguration(
                minimalConfiguration.replacing("[{topic: \"nodes/{node}/{tag}\"}]", with: "[]"),
                "windrow.yaml:7: domains.demo.mqtt[0].subscriptions: expected a list of subscriptions, each with a topic, "
                    + "found an empty list"),
        ])
    func brokers(bad: BadConfiguration) { Self.check(bad) }

    @Test(
        "is refused for a broker's address that is wrong, and shows no password",
        arguments: [
            ("localhost", ", found \"localhost\""),
            ("tcp://h", ", found \"tcp://h\""),
            ("mqtt://", ", found \"mqtt://\""),
            ("mqtt://h:0", ", found \"mqtt://h:0\""),
            ("mqtt://h:65536", ", found \"mqtt://h:65536\""),
            ("mqtt://h:", ", found \"mqtt://h:\""),
            ("mqtt://h:+1", ", found \"mqtt://h:+1\""),
            ("mqtt://h/path", ", found \"mqtt://h/path\"; nothing may follow the port"),
            ("mqtts://h:8883/", ", found \"mqtts://h:8883/\"; nothing may follow the port"),
            ("mqtt://::1", ", found \"mqtt://::1\"; an IPv6 address goes into brackets"),
            ("mqtt://[::1", ", found \"mqtt://[::1\""),
            ("mqtt://[h]", ", found \"mqtt://[h]\""),
            ("mqtt://me:hush@h", "; the user goes into `username` and the password into `password_file`"),
            ("{}", ", found a mapping"),
        ])
    func addresses(address: String, complaint: String) {
        let yaml = minimalConfiguration.replacing(
            "mqtt://localhost", with: address == "{}" ? address : "\"\(address)\"")
        Self.check(
            .init(
                yaml,
                "windrow.yaml:5: domains.demo.mqtt[0].broker: expected mqtt://host[:port] or mqtts://host[:port]\(complaint)"
            ))
    }

    @Test("is refused when two sessions would have the same client id at one broker")
    func sessions() {
        Self.check(
            .init(
                """
                domains:
                  a:
                    postgres: a
                    mqtt:
                      - {broker: "mqtt://host", client_id: w, subscriptions: [{topic: "{node}/{tag}"}]}
                      - {broker: "mqtt://HOST:1883", client_id: w, subscriptions: [{topic: "{node}/{tag}"}]}
                      - {broker: "mqtt://host", client_id: v, subscriptions: [{topic: "{node}/{tag}"}]}
                      - {broker: "mqtt://other", client_id: w, subscriptions: [{topic: "{node}/{tag}"}]}
                  b:
                    postgres: b
                    mqtt:
                      - broker: mqtt://host
                        client_id: w
                        subscriptions: [{topic: "{node}/{tag}"}]
                """,
                "windrow.yaml:6: domains.a.mqtt[1].client_id: domains.a.mqtt[0].client_id (line 5) has the same client id at the "
                    + "same broker, which would disconnect the one whenever the other connects",
                "windrow.yaml:13: domains.b.mqtt[0].client_id: domains.a.mqtt[0].client_id (line 5) has the same client id at the "
                    + "same broker, which would disconnect the one whenever the other connects"))
    }

    @Test(
        "is refused for a subscription that is wrong",
        arguments: [
            .subscription(
                "overwrite: insert", "windrow.yaml:7: domains.demo.mqtt[0].subscriptions[0]: missing key `topic`"),
            .subscription(
                "topic: 'nodes/{node}'",
                "windrow.yaml:8: domains.demo.mqtt[0].subscriptions[0].topic: {tag} must be one level of the topic and is none; "
                    + "expected a template such as nodes/{node}/{tag}; found \"nodes/{node}\""),
            .subscription(
                "topic: [],\noverwrite: replace,\nepoch: h,\nmax_gap: 1h",
                "windrow.yaml:8: domains.demo.mqtt[0].subscriptions[0].topic: expected a topic such as nodes/{node}/{tag}, found a list",
                "windrow.yaml:9: domains.demo.mqtt[0].subscriptions[0].overwrite: expected one of insert, update_window, "
                    + "replace_window, found \"replace\"; did you mean replace_window?",
                "windrow.yaml:10: domains.demo.mqtt[0].subscriptions[0].epoch: expected one of s, ms, us, ns, found \"h\""
            ),
            .subscription(
                "topic: '{node}/{tag}',\noverwrite: replace-window",
                "windrow.yaml:9: domains.demo.mqtt[0].subscriptions[0].overwrite: expected one of insert, update_window, "
                    + "replace_window, found \"replace-window\"; did you mean replace_window?"),
            .subscription(
                "topic: '{node}/{tag}',\nmax_gap: 1h,\nmax_span: 1d",
                "windrow.yaml:9: domains.demo.mqtt[0].subscriptions[0].max_gap: only goes with `overwrite: replace_window`",
                "windrow.yaml:10: domains.demo.mqtt[0].subscriptions[0].max_span: only goes with `overwrite: replace_window`"
            ),
            .subscription(
                "topic: '{node}/{tag}',\noverwrite: update_window,\nmax_gap: 1h",
                "windrow.yaml:10: domains.demo.mqtt[0].subscriptions[0].max_gap: only goes with `overwrite: replace_window`"
            ),
            .subscription(
                "topic: '{node}/{tag}',\noverwrite: replace_window,\nmax_gap: 0h,\nmax_span: 401d",
                "windrow.yaml:10: domains.demo.mqtt[0].subscriptions[0].max_gap: expected a duration from 1ms to 36500d, found \"0h\"",
                "windrow.yaml:11: domains.demo.mqtt[0].subscriptions[0].max_span: expected at most the domain's `replace.max_span`, "
                    + "400d; found 401d"),
            BadConfiguration(
                minimalConfiguration.replacing(
                    "[{topic: \"nodes/{node}/{tag}\"}]",
                    with: "\n          - topic: a/{node}/{tag}\n          - topic: a/{tag}/{node}\n          - 5"),
                "windrow.yaml:9: domains.demo.mqtt[0].subscriptions[1].topic: this session has a subscription to \"a/+/+\" already "
                    + "(line 8)",
                "windrow.yaml:10: domains.demo.mqtt[0].subscriptions[2]: expected a mapping (keys: topic, overwrite, epoch, max_gap, "
                    + "max_span), found a single value"),
        ])
    func subscriptions(bad: BadConfiguration) { Self.check(bad) }

    @Test("is told of with line and column for programs")
    func position() {
        let error = #expect(throws: ConfigurationError.self) {
            try parseConfiguration("limits:\n  memory: lots\n" + minimalConfiguration)
        }
        #expect(
            error?.problems == [
                .init(
                    file: "windrow.yaml", line: 2, column: 11, path: "limits.memory",
                    message: "expected a size such as 512KiB, 64MiB or 4GiB, found \"lots\"")
            ])
    }
}
