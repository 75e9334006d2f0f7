import Foundation
import Testing
import WindrowTestSupport

/// `/metrics` of a running daemon, and what is made of it.
@Suite struct MetricsTests {
    /// A daemon with names that have to be escaped, under load, with the answers that it gave meanwhile.
    private struct Loaded {
        let answers: [Exposition]
        let clientID: String

        static let shared = Result { try Loaded() }

        init() throws {
            let sandbox = Sandbox.shared
            let root = "t\(UUID().uuidString.prefix(8).lowercased())"
            let clientID = #"\#(root) "quoted" \and\not"#
            self.clientID = clientID
            let domains = try ["demo", "other-1"].map { name in
                """
                  \(name):
                    postgres: \(try sandbox.makeDatabase())
                    flush: {interval: 200ms}
                    lanes: 3
                    keys_file: demo.keys
                """
            }
            let daemon = try DaemonProcess(
                domains: """
                    \(domains[1])
                    \(domains[0])
                        mqtt:
                          - broker: mqtt://127.0.0.1:\(sandbox.mqttPort)
                            client_id: '\(clientID)'
                            subscriptions:
                              - topic: \(root)/{node}/{tag}
                    """)
            try daemon.startAndWait()
            let port = daemon.httpPort
            let clients = Clients([
                {
                    try BacklogPublisher(port: sandbox.mqttPort).publish(30_000) { number in
                        let payload =
                            number.isMultiple(of: 1000) ? "?" : #"{"v": \#(number), "ts": "\#(stamp(number / 500))"}"#
                        return ("\(root)/\(number % 500 + 1)/t", payload)
                    }
                },
                {
                    let client = try HTTPConnection(port: port)
                    for number in 0..<60 {
                        let body = #"[{"node_id": 7, "tag": "h", "data": [{"v": 1, "ts": "\#(stamp(number))"}]}]"#
                        _ = try client.post(Station.call("silent=true"), number % 20 == 9 ? "[" : body)
                        _ = try client.get(Station.call("node_id=7&tag=h"))
                    }
                    _ = try client.get("/other-1/api/v1/timeseries")
                },
            ])
            var answers: [Exposition] = []
            while !clients.isFinished || answers.count < 20 {
                answers.append(try Exposition(try daemon.get("/metrics").body))
                usleep(20_000)
            }
            try clients.wait()
            try waitUntil("all is stored") { try daemon.metric("windrow_points_pending") == 0 }
            // Dead letters are counted once a second.
            try waitUntil("the dead letters are counted") {
                let answer = try Exposition(try daemon.get("/metrics").body)
                answers.append(answer)
                return answer.values("windrow_dead_letters_kept", ["domain": "demo"]) == [30]
            }
            self.answers = answers
        }
    }

    private func loaded() throws -> (answers: [Exposition], last: Exposition, clientID: String) {
        let loaded = try Loaded.shared.get()
        return (loaded.answers, try #require(loaded.answers.last), loaded.clientID)
    }

    @Test("promtool has nothing to say about the metrics of a daemon under load")
    func lint() throws {
        let loaded = try loaded()
        let result = try Command.run("promtool", ["check", "metrics"], input: Data(loaded.last.text.utf8))
        #expect(result.status == 0 && result.output + result.errors == "", "\(result.output)\(result.errors)")
        let broker = "mqtt://127.0.0.1:\(Sandbox.shared.mqttPort) as \(loaded.clientID)"
        #expect(loaded.last.values("windrow_broker_connected", ["domain": "demo", "broker": broker]) == [1])
        #expect(loaded.last.values("windrow_broker_messages_total", ["domain": "demo", "broker": broker]) == [30_000])
        let lastMessage = try #require(loaded.last.values("windrow_last_message_timestamp_seconds").first)
        #expect(abs(Date().timeIntervalSince1970 - lastMessage) < 120)
    }

    @Test("the accounting closes in every answer, and no counter goes back")
    func accounting() throws {
        let (answers, last, _) = try loaded()
        var before: [String: Double] = [:]
        for answer in answers {
            for domain in ["demo", "other-1"] {
                func count(_ names: String...) -> Double {
                    names.reduce(0) { $0 + (answer.values("windrow_points_\($1)", ["domain": domain]).first ?? .nan) }
                }
                let went = count(
                    "inserted_total", "updated_total", "kept_total", "superseded_total", "rejected_total", "pending")
                if count("received_total", "replayed_total") != went { Issue.record("\(domain): \(answer.text)") }
            }
            for sample in answer.samples where sample.name.hasSuffix("_total") || sample.name.hasSuffix("_bucket") {
                let series = "\(sample.name) \(sample.labels.sorted { $0.key < $1.key })"
                if sample.value < before[series, default: 0] { Issue.record("\(series) goes back") }
                before[series] = sample.value
            }
        }
        #expect(answers.contains { $0.values("windrow_points_pending", ["domain": "demo"]) != [0] })
        #expect(last.values("windrow_dead_letters_total", ["domain": "demo", "reason": "malformed_json"]) == [30])
        #expect(last.values("windrow_lane_pending_points", ["domain": "demo"]) == [0, 0, 0])
    }

    @Test("histograms count every point, transaction, flush and request")
    func histograms() throws {
        let last = try loaded().last
        let demo = ["domain": "demo"]
        let stored = 30_000.0 - 30 + 57
        #expect(last.values("windrow_batch_points_sum", demo) == [stored])
        #expect(
            last.values("windrow_batch_points_count", demo)
                == last.values("windrow_journal_append_duration_seconds_count", demo))
        #expect(last.values("windrow_commit_delay_seconds_count", demo) == [stored])
        #expect(
            last.values("windrow_flush_duration_seconds_count", demo) == last.values("windrow_flushes_total", demo))
        func requests(_ method: String, _ status: String) -> [Double] {
            last.values(
                "windrow_http_request_duration_seconds_count", ["domain": "demo", "method": method, "status": status])
        }
        #expect(requests("POST", "2xx") == [57])
        #expect(requests("POST", "4xx") == [3])
        #expect(requests("GET", "2xx") == [60])
        // A request waits for its flush, and no point waits for longer than the test took.
        let delay = try #require(last.values("windrow_commit_delay_seconds_sum", demo).first)
        #expect(delay / stored > 0.001 && delay / stored < 60)
    }

    @Test("what labels tell apart is bounded: a domain has a few hundred samples, whatever was sent")
    func cardinality() throws {
        let last = try loaded().last
        #expect(last.samples.count { $0.labels["domain"] == "demo" } < 400)
        #expect(
            Set(last.samples.flatMap(\.labels.keys)).isSubset(of: [
                "version", "domain", "part", "reason", "broker", "lane", "method", "status", "le",
            ]))
    }

    // MARK: Alerts and the dashboard

    @Test("the alert rules are right, and each fires when it should and not otherwise")
    func alerts() throws {
        let folder = Project.root + "/deploy/prometheus"
        for arguments in [
            ["check", "config", folder + "/prometheus.yml"], ["check", "rules", folder + "/alerts.yml"],
            ["test", "rules", folder + "/alerts.test.yml"],
        ] {
            let result = try Command.run("promtool", arguments)
            #expect(result.status == 0, "\(arguments): \(result.output)\(result.errors)")
        }
        let rules = try String(contentsOfFile: folder + "/alerts.yml", encoding: .utf8)
        let tests = try String(contentsOfFile: folder + "/alerts.test.yml", encoding: .utf8)
        try checkNames(rules)
        // What the tests say is all that fires then.
        for alert in rules.matches(of: /alert: (\w+)/).map(\.1) {
            #expect(tests.contains("alertname=\"\(alert)\""), "no test of \(alert)")
        }
    }

    @Test("the dashboard asks only for what there is, of the datasource that is chosen, with units")
    func dashboard() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: Project.root + "/deploy/grafana/windrow.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(dashboard["schemaVersion"] is Int && dashboard["title"] as? String == "Windrow")
        #expect(dashboard["id"] is NSNull)
        let variables = try #require((dashboard["templating"] as? [String: Any])?["list"] as? [[String: Any]])
        #expect(variables.map { $0["name"] as? String } == ["datasource", "job", "domain"])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        #expect(Set(panels.map { $0["id"] as? Int ?? 0 }).count == panels.count)
        var expressions: [String] = []
        for panel in panels where panel["type"] as? String != "row" {
            let title = panel["title"] as? String ?? ""
            let defaults = (panel["fieldConfig"] as? [String: Any])?["defaults"] as? [String: Any]
            #expect(defaults?["unit"] is String, "\(title) has no unit")
            #expect((panel["datasource"] as? [String: String])?["uid"] == "${datasource}", "\(title)")
            #expect(!(panel["description"] as? String ?? "").isEmpty, "\(title) is not described")
            for target in try #require(panel["targets"] as? [[String: Any]]) {
                expressions.append(try #require(target["expr"] as? String))
            }
        }
        #expect(expressions.count > 20)
        try checkNames(expressions.joined(separator: "\n"))
        // promtool reads each, with the variables as Grafana would fill them in.
        let rules = expressions.enumerated().map { place, expression in
            var expression = expression
            for (name, value) in [("$__rate_interval", "1m"), ("$domain", ".*"), ("$job", "windrow")] {
                expression = expression.replacingOccurrences(of: name, with: value)
            }
            #expect(!expression.contains("$"), "\(expression)")
            let quoted = expression.replacingOccurrences(of: "'", with: "''")
            return "  - record: dashboard:\(place)\n    expr: '\(quoted)'\n"
        }
        let folder = try TemporaryFolder()
        let path = try folder.write("groups:\n- name: dashboard\n  rules:\n" + rules.joined(), to: "rules.yml")
        let result = try Command.run("promtool", ["check", "rules", path])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    /// Fails unless the metrics that a text names, and the labels that it selects by, are there.
    private func checkNames(_ text: String) throws {
        let last = try loaded().last
        let prometheusOwn: Set<Substring> = ["job", "instance", "le"]
        for match in text.matches(of: /\b(?:windrow|process)_\w+|\b[a-z_:]\w*(?=[{\[])/) {
            let name = String(match.output)
            if name == "up" { continue }
            #expect(last.names.contains(name), "/metrics has no \(name)")
        }
        for match in text.matches(of: /\b(\w+){([^}]*)}/) where match.1 != "up" {
            let known = last.labels(of: String(match.1))
            for label in match.2.matches(of: /(\w+) *(?:=|!)/).map(\.1) where !prometheusOwn.contains(label) {
                #expect(known.contains(String(label)), "\(match.1) has no label \(label)")
            }
        }
    }
}
