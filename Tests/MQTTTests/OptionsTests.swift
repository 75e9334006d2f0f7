import MQTT
import Testing

@Suite struct OptionsTests {
    private let good = Client.Options(clientID: "c", host: "h")

    private func failure(_ change: (inout Client.Options) -> Void) -> MQTTError? {
        var options = good
        change(&options)
        do {
            _ = try Client(options, handler: Notes([], .always))
            return nil
        } catch {
            return error
        }
    }

    @Test("options that can never work are refused before anything is connected")
    func refused() {
        let changes: [(inout Client.Options) -> Void] = [
            { $0.clientID = "" }, { $0.clientID = "a\0b" }, { $0.clientID = String(repeating: "x", count: 65_536) },
            { $0.host = "" }, { $0.host = "a\nb" }, { $0.port = 0 }, { $0.username = "" }, { $0.password = "a\0b" },
            { $0.password = String(repeating: "x", count: 65_536) }, { $0.keepAliveSeconds = 4 },
            { $0.receiveMaximum = 0 }, { $0.connectTimeout = .zero }, { $0.tls = .init(certificateFile: "c") },
            { $0.tls = .init(keyFile: "k") },
        ]
        for change in changes {
            let error = failure(change)
            #expect(error?.operation == .configure)
            #expect(error?.code == .invalid)
            #expect(error?.endsConnection == false)
        }
    }

    @Test("the limits themselves are accepted")
    func accepted() {
        #expect(failure { _ in } == nil)
        #expect(failure { $0.keepAliveSeconds = 0 } == nil)
        #expect(failure { $0.keepAliveSeconds = 5 } == nil)
        #expect(failure { $0.receiveMaximum = 1 } == nil)
        #expect(failure { $0.clientID = String(repeating: "ü", count: 32_767) } == nil)
        #expect(failure { ($0.username, $0.password) = ("u", "") } == nil)
    }

    @Test("options print without their password, an IPv6 address in brackets")
    func description() {
        var options = Client.Options(clientID: "c", host: "::1", username: "u", password: "secret", tls: .init())
        #expect("\(options)" == "c at [::1]:1883 (TLS)")
        var dumped = ""
        dump(options, to: &dumped)
        #expect(!dumped.contains("secret"))
        #expect(!String(reflecting: options).contains("secret"))
        options.tls = nil
        #expect("\(options)" == "c at [::1]:1883")
    }

    @Test("a filter that is none is refused by name, and the connection goes on")
    func badFilter() throws {
        let broker = try Broker()
        defer { broker.stop() }
        let station = try Station(broker.options())
        try station.connect()
        for filter in ["a/b+", "a/#/b", "", "a\0b"] {
            let error = #expect(throws: MQTTError.self) { _ = try station.client.subscribe(["good", filter]) }
            #expect(error?.code == .invalid)
            #expect(error?.message.contains(filter.debugDescription) == true)
            #expect(error?.endsConnection == false)
        }
        #expect(throws: MQTTError.self) { _ = try station.client.subscribe([]) }
        #expect(throws: MQTTError.self) { _ = try station.client.unsubscribe([]) }
        try station.client.subscribe(["good"])
        try station.run { $0.subscriptions.count == 1 }
        station.client.disconnect()
    }

    @Test("a reason code has the standard's name, its number and, where it helps, advice")
    func reasonCodes() {
        #expect("\(ReasonCode.sessionTakenOver)" == "session taken over (reason 0x8E)")
        #expect(ReasonCode.sessionTakenOver.hint == "another client uses the same client id; each needs one of its own")
        #expect("\(ReasonCode(rawValue: 1))" == "granted qos 1 (reason 0x01)")
        #expect("\(ReasonCode(rawValue: 0xFF))" == "unknown reason (reason 0xFF)")
        #expect(ReasonCode(rawValue: 0xFF).hint == nil)
    }
}
