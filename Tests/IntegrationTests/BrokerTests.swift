import Foundation
import Testing
import WindrowTestSupport

@Suite struct BrokerTests {
    @Test(
        "TLS with a client certificate, a user name with a password file, IPv6 and a shared subscription work together")
    func secured() throws {
        let folder = try TemporaryFolder()
        try makeCertificates(in: folder.path)
        let port = try Sandbox.freePort()
        try Command.require("mosquitto_passwd", ["-b", "-c", folder.path + "/passwords", "gateway", "secret"])
        try Command.require("chmod", ["-R", "a+rX", folder.path])
        let sandbox = try Sandbox(
            mosquittoSettings: """
                listener \(port) ::1
                cafile \(folder.path)/ca.crt
                certfile \(folder.path)/server.crt
                keyfile \(folder.path)/server.key
                require_certificate true
                password_file \(folder.path)/passwords
                """)
        let database = try sandbox.makeDatabase()
        func daemon(password: String) throws -> DaemonProcess {
            try folder.write(password + "\n", to: "password")
            return try DaemonProcess(
                domains: """
                      demo:
                        postgres: \(database)
                        flush: {interval: 100ms}
                        mqtt:
                          - broker: "mqtts://[::1]:\(port)"
                            client_id: secured
                            username: gateway
                            password_file: \(folder.path)/password
                            tls:
                              ca_file: \(folder.path)/ca.crt
                              cert_file: \(folder.path)/client.crt
                              key_file: \(folder.path)/client.key
                            subscriptions:
                              - topic: $share/writers/nodes/{node}/{tag}
                    """)
        }
        let wrong = try daemon(password: "wrong")
        try wrong.start()
        try wrong.waitUntilLogged("broker connection failed")
        #expect(wrong.log.lowercased().contains("password") || wrong.log.contains("authori"), "\(wrong.log)")
        try wrong.stop()

        let right = try daemon(password: "secret")
        try right.startAndWait()
        let check = try Command.run(Project.program("windrow"), ["check", "--config", right.configuration])
        #expect(check.status == 0, "\(check.output)")
        try Command.require(
            "mosquitto_pub",
            [
                "-h", "::1", "-p", "\(port)", "--cafile", folder.path + "/ca.crt", "--cert",
                folder.path + "/client.crt",
                "--key",
                folder.path + "/client.key", "-u", "gateway", "-P", "secret", "-q", "1", "-t", "nodes/1/t", "-m", "5",
            ])
        try waitUntil("the point is stored") { try right.metric("windrow_points_inserted_total") == 1 }
        let expiry = try #require(try right.metric("windrow_broker_certificate_expiry_timestamp_seconds"))
        #expect(abs(expiry - Date().timeIntervalSince1970 - 2 * 86_400) < 600)
        #expect(try right.stop() == 0)
        #expect(!right.log.contains("secret"))
    }

    private func makeCertificates(in folder: String) throws {
        func openssl(_ arguments: String...) throws { try Command.require("openssl", arguments) }
        try openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority", "-keyout",
            folder + "/ca.key", "-out", folder + "/ca.crt")
        try "subjectAltName=IP:::1,IP:127.0.0.1,DNS:localhost".write(
            toFile: folder + "/names", atomically: true, encoding: .utf8)
        for name in ["server", "client"] {
            try openssl(
                "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=\(name)", "-keyout", "\(folder)/\(name).key",
                "-out",
                "\(folder)/\(name).csr")
            try openssl(
                "x509", "-req", "-in", "\(folder)/\(name).csr", "-CA", folder + "/ca.crt", "-CAkey", folder + "/ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", folder + "/names", "-out", "\(folder)/\(name).crt")
        }
    }

    @Test("a broker that restarts is found again, and what was published while the daemon had no connection is stored")
    func restart() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try station.daemon.startAndWait()
        for second in 0..<3 {
            try sandbox.stop(.mosquitto)
            try waitUntil("the lost broker is told") { try station.daemon.get("/readyz").status == 503 }
            try sandbox.start(.mosquitto)
            try station.publisher.publish(#"{"v": \#(second), "ts": "\#(stamp(second))"}"#, on: "\(station.root)/1/t")
        }
        try station.waitUntilStored([time(0): 0, time(1): 1, time(2): 2])
        try station.daemon.waitUntilReady()
    }

    @Test("a topic that the broker's access list denies does not hold up the others")
    func deniedTopic() throws {
        let folder = try TemporaryFolder()
        try folder.write("topic deny secret/#\ntopic readwrite #\n", to: "acl")
        try Command.require("chmod", ["-R", "a+rX", folder.path])
        let sandbox = try Sandbox(mosquittoSettings: "acl_file \(folder.path)/acl\n")
        let station = try Station(sandbox: sandbox, subscription: "          - topic: secret/{node}/{tag}")
        try station.daemon.startAndWait()
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1])
    }
}
