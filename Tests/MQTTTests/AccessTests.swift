import Foundation
import MQTT
import Testing

@Suite struct AccessTests {
    /// A broker that knows the user `gateway` with the password `right`.
    private func guardedBroker() throws -> (Broker, Folder) {
        let folder = try Folder()
        let passwords = try folder.write("passwords", "")
        try Command("mosquitto_passwd", "-b", passwords, "gateway", "right").run()
        try Command("chmod", "0644", passwords).run()
        return (try Broker(["password_file \(passwords)"], anonymous: false), folder)
    }

    @Test("the right password is accepted")
    func rightPassword() throws {
        let (broker, folder) = try guardedBroker()
        defer {
            broker.stop()
            folder.remove()
        }
        var options = broker.options()
        (options.username, options.password) = ("gateway", "right")
        let station = try Station(options, "a")
        try station.connect()
        try broker.publish("a", "-u", "gateway", "-P", "right", "-m", "in")
        try station.run { !$0.messages.isEmpty }
        station.client.disconnect()
    }

    @Test("a wrong password, or none, is refused with the broker's reason", arguments: ["wrong", nil])
    func wrongPassword(password: String?) throws {
        let (broker, folder) = try guardedBroker()
        defer {
            broker.stop()
            folder.remove()
        }
        var options = broker.options()
        (options.username, options.password) = (password.map { _ in "gateway" }, password)
        let station = try Station(options)
        try station.client.connect()
        let error = try station.end()
        #expect(error.code == .refused)
        // mosquitto 2.0.11 gives the wider reason for a wrong password.
        #expect([.badUserNameOrPassword, .notAuthorized].contains(error.reason))
        #expect(error.message.hasPrefix("the broker refused the connection: "))
        #expect(error.hint != nil)
        #expect(!"\(error) \(options)".contains("wrong"))
        #expect(station.notes.connects.isEmpty)
        #expect(station.client.fileDescriptor == nil)
    }

    @Test("a subscription that the access rules forbid is refused with a reason, while the others stand")
    func forbiddenTopic() throws {
        let folder = try Folder()
        defer { folder.remove() }
        // mosquitto's acl_file grants every subscription, and then delivers nothing; this plugin refuses.
        let rules = try folder.write(
            "rules.json",
            """
            {"defaultACLAccess":
              {"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
             "anonymousGroup": "anyone", "groups": [{"groupname": "anyone", "roles": [{"rolename": "reader"}]}],
             "roles": [{"rolename": "reader", "acls":
              [{"acltype": "subscribePattern", "topic": "open/#", "allow": true}]}]}
            """)
        let broker = try Broker(["plugin \(try #require(dynamicSecurity))", "plugin_opt_config_file \(rules)"])
        defer { broker.stop() }
        let station = try Station(broker.options(), "open/a", "closed/a", "open/b")
        try station.connect()
        let results = station.notes.subscriptions.first?.results
        #expect(results == [.granted(qos: 1), .refused(.notAuthorized), .granted(qos: 1)])
        station.client.disconnect()
    }

    /// Debian's folder for it bears the processor's name.
    private var dynamicSecurity: String? {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        return folders.map { "/usr/lib/\($0)/mosquitto_dynamic_security.so" }.first(
            where: FileManager.default.fileExists(atPath:))
    }

    @Test(
        "the reason that a broker gives for a refusal is passed on",
        arguments: [
            (0x86, ReasonCode.badUserNameOrPassword, "bad user name or password (reason 0x86)"),
            (0x87, .notAuthorized, "not authorized (reason 0x87)"),
            (0x85, .clientIDNotValid, "client identifier not valid (reason 0x85)"),
        ])
    func reasons(code: UInt8, reason: ReasonCode, text: String) throws {
        let broker = ScriptedBroker()
        let station = try Station(.init(clientID: "c", host: "127.0.0.1", port: broker.port))
        try station.client.connect()
        broker.accept()
        broker.send([0x20, 3, 0, code, 0])
        let error = try station.end()
        #expect(error.operation == .connect)
        #expect(error.code == .refused)
        #expect(error.reason == reason)
        #expect(error.message == "the broker refused the connection: \(text)")
        #expect(error.hint != nil)
    }
}
