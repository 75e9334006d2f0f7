import Foundation
import Testing
import WindrowTestSupport

/// Who gets in, and by which door.
@Suite struct HTTPAccessTests {
    /// Two domains on one port, with a key each.
    private func makeDaemon(http: String = "", domains: [String] = ["a", "b"]) throws -> DaemonProcess {
        try DaemonProcess(
            domains: try domains.map {
                """
                  \($0):
                    postgres: \(try Sandbox.shared.makeDatabase())
                    keys_file: \($0).keys
                """
            }.joined(separator: "\n"), http: http)
    }

    /// As `windrow key` makes it.
    private func makeKey(_ daemon: DaemonProcess, _ domain: String, _ name: String) throws -> String {
        try Command.require(Project.program("windrow"), ["key", "--config", daemon.configuration, domain, name])
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func status(_ daemon: DaemonProcess, _ domain: String, _ secret: String) throws -> Int {
        try HTTPConnection(port: daemon.httpPort, secret: secret)
            .post("/\(domain)/api/v1/timeseries?silent=true", element([item(0, 1)])).status
    }

    @Test("a key made by `windrow key` opens its own domain, and no other")
    func domains() throws {
        let daemon = try makeDaemon()
        let a = try makeKey(daemon, "a", "gateway-1")
        let b = try makeKey(daemon, "b", "gateway-1")
        try daemon.startAndWait()
        #expect(try status(daemon, "a", a) == 204)
        #expect(try status(daemon, "b", b) == 204)
        #expect(try status(daemon, "a", b) == 401)
        #expect(try status(daemon, "b", a) == 401)
        #expect(!daemon.log.contains(a) && !daemon.log.contains(b))
    }

    @Test(
        "a key made while the daemon runs opens after SIGHUP; its line removed, SIGHUP revokes it; a broken file changes nothing"
    )
    func reload() throws {
        let daemon = try makeDaemon(domains: ["a"])
        try daemon.startAndWait()
        try daemon.waitUntilLogged("the domain has no keys")
        let secret = try makeKey(daemon, "a", "script")
        #expect(try status(daemon, "a", secret) == 401)
        daemon.signal(SIGHUP)
        try waitUntil("the key opens") { try status(daemon, "a", secret) == 204 }
        let file = daemon.path + "/a.keys"
        let line = try String(contentsOfFile: file, encoding: .utf8)
        try "nonsense\n".write(toFile: file, atomically: true, encoding: .utf8)
        daemon.signal(SIGHUP)
        try daemon.waitUntilLogged("the keys stay as they were")
        try daemon.waitUntilLogged("a.keys:1: expected a name and 64 hexadecimal digits")
        #expect(try status(daemon, "a", secret) == 204)
        try line.replacingOccurrences(of: "script ", with: "# script ").write(
            toFile: file, atomically: true, encoding: .utf8)
        daemon.signal(SIGHUP)
        try waitUntil("the key is revoked") { try status(daemon, "a", secret) == 401 }
    }

    @Test("`windrow key` tells what it cannot do")
    func keyProblems() throws {
        let daemon = try makeDaemon(domains: ["a"])
        func run(_ arguments: [String]) throws -> Command.Result {
            try Command.run(Project.program("windrow"), ["key", "--config", daemon.configuration] + arguments)
        }
        let domain = try run(["c", "x"])
        #expect(domain.status == 64)
        #expect(domain.errors.contains("there is no domain c"))
        let name = try run(["a", "a b"])
        #expect(name.status == 64)
        #expect(name.errors.contains("expected a name"))
        try FileManager.default.createDirectory(atPath: daemon.path + "/a.keys", withIntermediateDirectories: false)
        let file = try run(["a", "x"])
        #expect(file.status == 78)
        #expect(file.errors.contains("cannot write"))
        #expect(file.output.isEmpty)
    }

    @Test(
        "a keys file that is broken at the start closes its domain and no other; an address that is taken ends the daemon with 78"
    )
    func start() throws {
        let daemon = try makeDaemon()
        try "x\n".write(toFile: daemon.path + "/a.keys", atomically: true, encoding: .utf8)
        let secret = try makeKey(daemon, "b", "script")
        try daemon.startAndWait()
        try daemon.waitUntilLogged("a.keys:1:")
        #expect(try status(daemon, "a", secret) == 401)
        #expect(try status(daemon, "b", secret) == 204)
        try daemon.stop()
        let check = try Command.run(Project.program("windrow"), ["check", "--config", daemon.configuration])
        #expect(check.status == 78)
        #expect(check.output.contains("FAIL  a keys"))

        let first = try makeDaemon(domains: ["a"])
        try first.startAndWait()
        let second = try makeDaemon(http: "", domains: ["a"])
        let text = try String(contentsOfFile: second.configuration, encoding: .utf8)
        try text.replacingOccurrences(
            of: "listen: 127.0.0.1:\(second.httpPort)", with: "listen: 127.0.0.1:\(first.httpPort)"
        )
        .write(toFile: second.configuration, atomically: true, encoding: .utf8)
        try second.start()
        #expect(try second.waitForExit() == 78)
        #expect(second.log.contains("http.listen: cannot listen on 127.0.0.1:\(first.httpPort)"))
    }

    /// A certificate for localhost, with its key.
    private func makeCertificate(_ name: String, in folder: String) throws {
        try Command.require(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj",
                "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder + "/server.key", "-out",
                folder + "/server.pem",
            ])
    }

    /// Whom the server says to be.
    private func subject(_ daemon: DaemonProcess) throws -> String {
        let result = try Command.run(
            "openssl", ["s_client", "-connect", "127.0.0.1:\(daemon.httpPort)"], input: Data())
        return String(result.output.firstMatch(of: /subject=(.*)/)?.1 ?? "")
    }

    @Test("over TLS, with a certificate that SIGHUP renews and a broken one leaves alone")
    func tls() throws {
        let daemon = try makeDaemon(http: "  tls: {cert_file: server.pem, key_file: server.key}", domains: ["a"])
        try makeCertificate("first", in: daemon.path)
        let secret = try makeKey(daemon, "a", "script")
        try daemon.startAndWait()
        func post() throws -> String {
            try Command.run(
                "curl",
                [
                    "--silent", "--cacert", daemon.path + "/server.pem", "--write-out", "%{http_code}", "-H",
                    "Authorization: Key \(secret)", "-H", "Content-Type: application/json", "--data-binary", "@-",
                    "https://127.0.0.1:\(daemon.httpPort)/a/api/v1/timeseries?silent=true",
                ], input: Data(element([item(0, 1)]).utf8)
            ).output
        }
        #expect(try post() == "204")
        #expect(try subject(daemon).hasSuffix("first"))
        let expiry = try #require(try daemon.metric("windrow_http_certificate_expiry_timestamp_seconds"))
        #expect(abs(expiry - Date().timeIntervalSince1970 - 2 * 86_400) < 600)
        // Who speaks plain HTTP to it is not served.
        #expect(throws: FixtureError.self) { try status(daemon, "a", secret) }

        try makeCertificate("second", in: daemon.path)
        daemon.signal(SIGHUP)
        try waitUntil("the new certificate is shown") { try subject(daemon).hasSuffix("second") }
        #expect(try post() == "204")
        try "broken".write(toFile: daemon.path + "/server.pem", atomically: true, encoding: .utf8)
        daemon.signal(SIGHUP)
        try daemon.waitUntilLogged("the certificate stays as it was")
        #expect(try subject(daemon).hasSuffix("second"))
        try daemon.stop()
        try daemon.start()
        #expect(try daemon.waitForExit() == 78)
        #expect(daemon.log.contains("http.tls: cannot use"))
    }

    @Test("on a Unix socket, which a killed daemon leaves behind and the next one takes over")
    func unixSocket() throws {
        let folder = try TemporaryFolder("wr")
        let path = folder.path + "/http.sock"
        let daemon = try makeDaemon(domains: ["a"])
        let text = try String(contentsOfFile: daemon.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "listen: 127.0.0.1:\(daemon.httpPort)", with: "listen: unix:\(path)")
            .write(toFile: daemon.configuration, atomically: true, encoding: .utf8)
        let secret = try makeKey(daemon, "a", "script")
        func post() throws -> String {
            try Command.run(
                "curl",
                [
                    "--silent", "--unix-socket", path, "--write-out", "%{http_code}", "-H",
                    "Authorization: Key \(secret)", "-H",
                    "Content-Type: application/json", "--data-binary", "@-",
                    "http://localhost/a/api/v1/timeseries?silent=true",
                ], input: Data(element([item(0, 1)]).utf8)
            ).output
        }
        try daemon.startAndWait()
        #expect(try post() == "204")
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o666)
        try daemon.kill()
        try daemon.startAndWait()
        #expect(try post() == "204")
        // Another daemon does not take it away.
        let other = try makeDaemon(domains: ["a"])
        try String(contentsOfFile: other.configuration, encoding: .utf8)
            .replacingOccurrences(of: "listen: 127.0.0.1:\(other.httpPort)", with: "listen: unix:\(path)")
            .write(toFile: other.configuration, atomically: true, encoding: .utf8)
        try other.start()
        #expect(try other.waitForExit() == 78)
        #expect(other.log.contains("http.listen: cannot listen on unix:\(path): Address already in use"))
        #expect(try post() == "204")
        try daemon.stop()
    }
}
