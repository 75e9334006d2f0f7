import Glibc
import MQTT
import Testing

@Suite final class TLSTests {
    private let certificates: Certificates

    init() throws { certificates = try Certificates() }

    deinit { certificates.folder.remove() }

    private func broker(_ settings: String..., server: String = "server") throws -> Broker {
        let broker = try Broker(certificates.settings(server) + settings)
        broker.credentials = [
            "--cafile", certificates.file("ca.crt"), "--cert", certificates.file("client.crt"), "--key",
            certificates.file("client.key"),
        ]
        return broker
    }

    private func options(_ broker: Broker, ca: String? = "ca.crt", key: String? = nil) -> Client.Options {
        var options = broker.options()
        options.tls = .init(
            caFile: ca.map(certificates.file), certificateFile: key == nil ? nil : certificates.file("client.crt"),
            keyFile: key.map(certificates.file))
        return options
    }

    /// Connects until it fails, and returns why.
    private func failure(_ options: Client.Options) throws -> MQTTError {
        let station = try Station(options)
        do {
            try station.client.connect()
        } catch {
            return error
        }
        return try station.end()
    }

    @Test("it connects to a broker whose authority it trusts, again and again, by name and by address")
    func trusted() throws {
        let broker = try broker()
        defer { broker.stop() }
        for host in ["127.0.0.1", "localhost"] {
            var options = options(broker)
            options.host = host
            let station = try Station(options, "a")
            for round in 1...3 {
                try station.connect()
                #expect(station.notes.connects.last == (round > 1))
                try broker.publish("a", "-m", "\(round)")
                try station.run { $0.messages.count == round }
                if round == 1 { station.client.disconnect() } else { station.client.abandon() }
            }
        }
    }

    @Test("it shows the broker its certificate")
    func clientCertificate() throws {
        let broker = try broker("require_certificate true", "use_identity_as_username true")
        defer { broker.stop() }
        let station = try Station(options(broker, key: "client.key"), "a")
        try station.connect()
        try broker.publish("a", "-m", "in")
        try station.run { !$0.messages.isEmpty }
        station.client.disconnect()

        let error = try failure(options(broker))
        #expect(error.operation == .connect)
        #expect(error.code == .tls, "\(error)")
        // The broker's "certificate required" may be overtaken by its reset.
        #expect(error.hint?.contains("client certificate") == true)
    }

    @Test("a broker of another authority is not trusted")
    func wrongAuthority() throws {
        let broker = try broker()
        defer { broker.stop() }
        let error = try failure(options(broker, ca: "other-ca.crt"))
        #expect(error.operation == .connect)
        #expect(error.code == .tls, "\(error)")
        #expect(error.message.hasPrefix("TLS: the broker's certificate is not accepted: "))
        #expect(error.hint?.contains("signed by \(certificates.file("other-ca.crt"))") == true)
    }

    @Test("without a file of authorities those of the system count, and they do not know the broker's")
    func unknownToTheSystem() throws {
        let broker = try broker()
        defer { broker.stop() }
        let error = try failure(options(broker, ca: nil))
        #expect(error.message.hasPrefix("TLS: the broker's certificate is not accepted: "))
        #expect(error.hint?.contains("signed by an authority of the system") == true)
    }

    @Test("without a file of authorities those of the system count, with a client certificate too, and on a reconnect")
    func knownToTheSystem() async throws {
        let broker = try broker("require_certificate true")
        defer { broker.stop() }
        // OpenSSL takes the system's authorities from here; in a process of its own, as it is the whole process's.
        let (port, folder) = (broker.port, certificates.folder.path)
        await #expect(processExitsWith: .success) { [port = port as UInt16, folder = folder as String] in
            setenv("SSL_CERT_FILE", folder + "/ca.crt", 1)
            let tls = Client.TLS(certificateFile: folder + "/client.crt", keyFile: folder + "/client.key")
            let station = try Station(.init(clientID: unique("tls"), host: "localhost", port: port, tls: tls))
            for _ in 1...2 {
                try station.connect()
                station.client.disconnect()
            }
        }
    }

    @Test("a certificate that is made out to another host is not accepted")
    func wrongHost() throws {
        let broker = try broker(server: "elsewhere")
        defer { broker.stop() }
        let error = try failure(options(broker))
        #expect(error.code == .tls, "\(error)")
        #expect(error.message.hasPrefix("TLS: the broker's certificate is not accepted: IP address mismatch"))
        #expect(error.hint?.contains("made out to 127.0.0.1") == true)
    }

    @Test("a broker without TLS on that port is told from one that fails")
    func noTLS() throws {
        let broker = try Broker([])
        defer { broker.stop() }
        let error = try failure(options(broker))
        #expect(error.operation == .connect)
        #expect(error.hint?.contains("TLS") == true)
        #expect(error.code == .tls || error.code == .connectionLost, "\(error)")
    }

    @Test("a broker with TLS where none was expected is reported")
    func unexpectedTLS() throws {
        let broker = try broker()
        defer { broker.stop() }
        let error = try failure(broker.options())
        #expect(error.operation == .connect)
        // mosquitto closes with bytes unread, so its reset may come first.
        #expect([.connectionLost, .system].contains(error.code), "\(error)")
        #expect(error.hint?.contains("one without TLS") == true)
    }

    @Test("a TLS file that cannot be used is named, and nobody is asked for a passphrase")
    func badFiles() throws {
        let broker = try broker()
        defer { broker.stop() }
        let missing = try failure(options(broker, ca: "missing.crt"))
        #expect(missing.code == .system)
        #expect(missing.errno == ENOENT)
        #expect(missing.message.contains(certificates.file("missing.crt")))

        let noCertificate = try failure(options(broker, ca: "ca.key"))
        #expect(noCertificate.code == .tls)
        #expect(noCertificate.message.contains(certificates.file("ca.key")))

        let otherKey = try failure(options(broker, key: "server.key"))
        #expect(otherKey.code == .tls)

        let locked = try failure(options(broker, key: "locked.key"))
        #expect(locked.code == .tls)
        #expect(locked.message.contains(certificates.file("locked.key")))
    }

    @Test("with TLS, too, what was read but not written comes again, and read keeps to its limit")
    func gatedAndLimited() throws {
        let broker = try broker()
        defer { broker.stop() }
        let station = try Station(options(broker), "a")
        try station.connect()
        station.notes.filters = []
        try broker.publish("a", count: 500)
        for _ in 1...2 {
            var before = station.notes.messages.count
            try station.run(writing: false, limit: 7) { notes in
                #expect(notes.messages.count - before <= 7)
                before = notes.messages.count
                return before >= 500
            }
            #expect(station.notes.texts == (1...500).map(String.init))
            station.client.abandon()
            station.notes.messages = []
            try station.connect()
        }
        try station.run { $0.messages.count >= 500 }
        station.client.disconnect()
        station.notes.messages = []
        try station.connect()
        try station.run(for: .milliseconds(200))
        #expect(station.notes.messages.isEmpty)
        station.client.disconnect()
    }

    @Test("of many messages in one TLS record, read hands over as many as it may, and then the others")
    func oneRecord() throws {
        // mosquitto makes a record of each packet; openssl makes one of all that it reads at once.
        let (port, pipe) = (freePort(), certificates.file("pipe"))
        mkfifo(pipe, 0o600)
        var command = Command("sh", "-c", #"pipe=$1; shift; exec "$@" <"$pipe""#, "sh", pipe)
        command.arguments += ["openssl", "s_server", "-quiet", "-accept", "127.0.0.1:\(port)"]
        command.arguments += ["-cert", certificates.file("server.crt"), "-key", certificates.file("server.key")]
        let server = try command.start(log: certificates.file("log"))
        defer { server.end(SIGKILL) }
        let writer = open(pipe, O_WRONLY | O_CLOEXEC)
        defer { close(writer) }
        for _ in 1...500 where !accepts("127.0.0.1", port) { usleep(10_000) }

        let tls = Client.TLS(caFile: certificates.file("ca.crt"))
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: port, tls: tls))
        try station.client.connect()
        try station.run { _ in content(certificates.file("log")).contains("MQTT") }
        let bytes = ScriptedBroker.acceptance + (1...20).flatMap { ScriptedBroker.publish([0x74], id: $0) }
        #expect(Glibc.write(writer, bytes, bytes.count) == bytes.count)
        try station.run(limit: 7) { !$0.connects.isEmpty }
        #expect(station.notes.messages.count <= 7)
        while try station.client.read(limit: 7) == .limit {}
        #expect(station.notes.messages.count == 20)
    }

    @Test("what TLS has decrypted already is never left to wait for the next packet")
    func nothingPending() throws {
        let broker = try broker()
        defer { broker.stop() }
        let station = try Station(options(broker), "a")
        try station.connect()
        station.client.disconnect()
        try broker.publish("a", count: 2000)
        station.notes.filters = []
        let start = ContinuousClock.now
        try station.connect()
        // Each turn waits for the descriptor: were a message left in OpenSSL's memory, the last turn would take ten
        // seconds.
        try station.run(limit: 100_000, wait: 10_000) { $0.messages.count >= 2000 }
        #expect(ContinuousClock.now - start < .seconds(8))
        station.client.disconnect()
    }

    @Test(
        "a certificate out of its time is named as that",
        arguments: [("-3", "has expired"), ("+3", "is not yet valid")])
    func outOfTime(days: String, words: String) throws {
        try certificates.issueServer("late", daysFromNow: days)
        let broker = try broker(server: "late")
        defer { broker.stop() }
        let error = try failure(options(broker))
        #expect(error.code == .tls)
        #expect(error.message == "TLS: the broker's certificate is not accepted: certificate \(words)")
        #expect(error.hint?.contains("clock") == true)
    }

    @Test("a broker that knows TLS 1.2 at most is spoken to, one that knows only older versions is not")
    func versions() throws {
        let broker = try broker("tls_version tlsv1.2")
        defer { broker.stop() }
        let station = try Station(options(broker), "a")
        try station.connect()
        try broker.publish("a", "-m", "in")
        try station.run { !$0.messages.isEmpty }
        station.client.disconnect()

        let port = freePort()
        var command = Command("openssl", "s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-tls1_1")
        command.arguments += ["-cipher", "ALL:@SECLEVEL=0", "-cert", certificates.file("server.crt")]
        command.arguments += ["-key", certificates.file("server.key")]
        let server = try command.start(log: certificates.file("log"))
        defer { server.end(SIGKILL) }
        for _ in 1...500 where !accepts("127.0.0.1", port) { usleep(10_000) }
        var old = options(broker)
        old.port = port
        let error = try failure(old)
        #expect(error.code == .tls)
        #expect(error.hint == "the broker must speak TLS 1.2 or later", "\(error)")
    }

    @Test("a client certificate of another authority is refused, and it is said what to do")
    func wrongClientCertificate() throws {
        let broker = try broker("require_certificate true")
        defer { broker.stop() }
        var options = options(broker)
        options.tls?.certificateFile = certificates.file("other-ca.crt")
        options.tls?.keyFile = certificates.file("other-ca.key")
        let error = try failure(options)
        #expect(error.code == .tls, "\(error)")
        #expect(error.operation == .connect)
        #expect(error.hint?.contains("client certificate") == true)
    }

    @Test("the files are read anew at each connection")
    func renewedFiles() throws {
        let broker = try broker()
        defer { broker.stop() }
        let file = certificates.file("trusted.crt")
        try Command("cp", certificates.file("other-ca.crt"), file).run()
        var options = options(broker)
        options.tls?.caFile = file
        let station = try Station(options)
        try station.client.connect()
        #expect(try station.end().code == .tls)
        try Command("cp", certificates.file("ca.crt"), file).run()
        try station.connect()
        station.client.disconnect()
    }

    @Test("with TLS, too, disconnecting hands the broker every acknowledgement, and large payloads come whole")
    func largeAndAcknowledged() throws {
        let broker = try broker()
        defer { broker.stop() }
        let station = try Station(options(broker), "a")
        try station.connect()
        let text = String(repeating: "0123456789abcdef", count: 1 << 16)
        try broker.publish("a", "-f", try certificates.folder.write("large", text))
        try broker.publish("a", count: 5000)
        try station.run(limit: 500) { $0.messages.count >= 3000 }
        station.client.disconnect()
        let read = station.notes.messages.count
        try station.connect()
        try station.run { $0.messages.count >= 5001 }
        #expect(read < 5001)
        #expect(station.notes.texts == [text] + (1...5000).map(String.init))
        station.client.disconnect()
    }

    @Test("a broker of TLS that is killed is noticed, and writing to it is an error, not a signal")
    func killed() throws {
        let broker = try broker()
        let station = try Station(options(broker), "a")
        defer { broker.stop() }
        try station.connect()
        broker.kill()
        let error = #expect(throws: MQTTError.self) {
            for _ in 1...100 {
                try station.client.subscribe(["a"])
                try station.client.write()
                usleep(10_000)
            }
        }
        #expect(error?.operation == .write)
        try broker.start(certificates.settings())
        try station.connect()
        broker.kill()
        let ended = try station.end(within: .seconds(5))
        #expect([.connectionLost, .system].contains(ended.code), "\(ended)")
        #expect(ended.endsConnection)
    }
}
