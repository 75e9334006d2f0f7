import Foundation
import Testing
import WindrowTestSupport

/// The examples of the call's description, run as their readers run them: unchanged but for the address.
@Suite struct ExampleTests {
    private static let folder = Project.root + "/Tests/IntegrationTests/Examples"
    static let hasGo = (try? Command.run("go", ["version"]).status) == 0

    /// - Parameter code: an example that defines only the data goes into the first one.
    private func run(_ name: String, on station: Station, with program: [String], file: String) throws {
        var code = try String(contentsOfFile: "\(Self.folder)/\(name)", encoding: .utf8)
        if !code.contains("import") {
            let first = try String(contentsOfFile: "\(Self.folder)/write.py", encoding: .utf8)
            let data = try #require(first.range(of: "data = ["))
            let end = try #require(first.range(of: "\n]\n"))
            code = first.replacingCharacters(in: data.lowerBound..<end.upperBound, with: code)
        }
        let local = code.replacingOccurrences(
            of: "https://windrow.example", with: "http://127.0.0.1:\(station.daemon.httpPort)")
        #expect(local != code)
        let folder = try TemporaryFolder()
        let path = try folder.write(local, to: file)
        var environment = ProcessInfo.processInfo.environment
        environment["GOCACHE"] = folder.path + "/cache"
        environment["GO111MODULE"] = "off"
        let result = try Command.run(program[0], program.dropFirst() + [path], environment: environment)
        #expect(result.output == "OK\n", "\(result.errors)")
    }

    private let expected = [time(0): 12.3, time(600): 12.4, time(1200): 12.5]

    @Test("Python, with requests", arguments: ["write.py", "several.py", "replace.py"])
    func python(_ name: String) throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let client = try station.client()
        // Inside the window of the example, and beside it.
        #expect(
            try client.post(Station.call("silent=true"), element([item(300, 1), item(3000, 2)], tag: "outdoortemp"))
                .status == 204)
        try run(name, on: station, with: ["/usr/bin/python3"], file: "example.py")
        let stored = try station.stored(tag: "outdoortemp")
        switch name {
        case "write.py": #expect(stored == expected.merging([time(300): 1, time(3000): 2]) { $1 })
        case "replace.py": #expect(stored == expected.merging([time(3000): 2]) { $1 })
        default:
            #expect(stored[time(0)] == 12.3)
            #expect(try station.stored(node: 2, tag: "outdoortemp") == [time(0): 0.5])
            let read = try client.get(Station.call("node_id=12345678-1234-1234-1234-123456789012"))
            #expect(read.text.contains(#""data":[{"v":12.3,"ts":"2023-01-01T12:00:00Z"}]"#))
        }
    }

    @Test("Go", .enabled(if: hasGo, "there is no Go toolchain"))
    func go() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        try run("write.go", on: station, with: ["go", "run"], file: "example.go")
        #expect(try station.stored(tag: "outdoortemp") == expected)
    }

    @Test("curl, with and without a body worth waiting for")
    func curl() throws {
        let station = try Station()
        try station.daemon.startAndWait()
        let url = "http://127.0.0.1:\(station.daemon.httpPort)\(Station.call("silent=true"))"
        let headers = ["-H", "Authorization: Key demo-secret", "-H", "Content-Type: application/json"]
        // Past 1 MiB curl asks with Expect: 100-continue.
        let points = (0..<30_000).map { #"{"v":1,"ts":"2023-01-01T12:00:00.\#(String(1_000_000 + $0).dropFirst())Z"}"# }
        for body in [element([item(0, 1)]), element(points)] {
            let result = try Command.run(
                "curl", ["--silent", "--write-out", "%{http_code}", "--data-binary", "@-", url] + headers,
                input: Data(body.utf8))
            #expect(result.output == "204")
        }
        #expect(try station.count() == 30_000)
    }

    @Test("the description is true: what it says can be sent is taken, and what comes back is as it says")
    func description() throws {
        let station = try Station(http: "  max_body: 1MiB")
        try station.daemon.startAndWait()
        let result = try Command.run(
            "/usr/bin/python3",
            ["\(Self.folder)/conforms.py", "http://127.0.0.1:\(station.daemon.httpPort)", "demo-secret"])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        let description = try station.client().get("/openapi.json")
        let version = try station.daemon.get("/metrics").body.firstMatch(of: /windrow_info{version="([^"]*)"}/)?.1
        #expect((description.json["info"] as? [String: Any])?["version"] as? String == version.map(String.init))
    }
}
