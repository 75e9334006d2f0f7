import Testing

@testable import Windrow

/// `docs/configuration.md` against what the program does.
@Suite struct ConfigurationDocumentTests {
    private struct Row {
        var section: String
        var key: String
        var fallback: String
        var effect: String
    }

    private static func rows() throws -> [Row] {
        let path = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/docs/configuration.md"
        let text = String(decoding: try Configuration.readFile(path), as: UTF8.self)
        var section: String?
        return text.split(separator: "\n").compactMap { line in
            if line.hasPrefix("<!-- keys: ") { section = String(line.dropFirst(11).dropLast(4)) }
            if line == "<!-- end -->" { section = nil }
            guard let section, line.hasPrefix("| `") else { return nil }
            let cells = line.split(separator: "|").map { $0.trimmingPrefix { $0 == " " } }.map {
                String($0.reversed().drop { $0 == " " }.reversed())
            }
            return Row(section: section, key: cells[0].filter { $0 != "`" }, fallback: cells[1], effect: cells[3])
        }
    }

    @Test("every key that the configuration knows is described, in its section and in the same order, and no other")
    func keys() throws {
        typealias Keys = ConfigurationSchema.Keys
        let expected = [
            "top": Keys.top, "http": Keys.http, "http.tls": Keys.serverTLS, "journal": Keys.journal,
            "limits": Keys.limits, "domain": Keys.domain, "storage": Keys.storage, "flush": Keys.flush,
            "timestamps": Keys.timestamps,
            "replace": Keys.replace, "broker": Keys.broker, "tls": Keys.tls, "subscription": Keys.subscription,
        ]
        let described = Dictionary(grouping: try Self.rows(), by: \.section).mapValues { $0.map(\.key) }
        for (section, keys) in expected {
            #expect(described[section]?.sorted() == keys.sorted(), "\(section)")
        }
        #expect(described.count == expected.count)
    }

    @Test("defaults are those of the shortest file, and what a reload changes is said as it is done")
    func values() throws {
        let configuration = try parseConfiguration(
            minimalConfiguration.replacing(
                #"{topic: "nodes/{node}/{tag}"}"#, with: #"{topic: "nodes/{node}/{tag}", overwrite: replace_window}"#))
        let settings = Dictionary(
            configuration.settings(salt: "").map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        let broker = "domains.demo.mqtt[mqtt://localhost:1883 as w]."
        let prefixes = [
            "top": "", "http": "http.", "journal": "journal.", "limits": "limits.", "domain": "domains.demo.",
            "storage": "domains.demo.storage.", "flush": "domains.demo.flush.",
            "timestamps": "domains.demo.timestamps.",
            "replace": "domains.demo.replace.", "broker": broker,
            "subscription": broker + "subscriptions[nodes/{node}/{tag}].",
        ]
        var compared: Set<String> = []
        for row in try Self.rows() {
            guard let prefix = prefixes[row.section], let setting = settings[prefix + row.key] else { continue }
            compared.insert(setting.key)
            // The file says replace_window only so that its keys are there.
            if !setting.isSecret, row.key != "overwrite" {
                #expect(row.fallback == "`\(setting.value)`", "\(setting.key)")
            }
            switch setting.effect {
            case .reload: #expect(row.effect.hasPrefix("reload"), "\(setting.key)")
            case .reconnect: #expect(row.effect == "reload, new connection", "\(setting.key)")
            case .restart where row.key == "keys_file": #expect(row.effect.contains("restart"))
            case .restart: #expect(row.effect == "restart", "\(setting.key)")
            }
        }
        #expect(compared == Set(settings.keys))
    }
}
