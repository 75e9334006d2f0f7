import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct SettingChangeTests {
    @Test("TLS of our own that comes or goes is one change, for a restart; a renewed certificate is one for a reload")
    func tls() throws {
        let folder = try TemporaryFolder()
        var secured = Configuration(domains: [])
        secured.http.tls = Configuration.ServerTLS(
            certificateFile: try folder.write("old", to: "cert.pem"), keyFile: try folder.write("key", to: "key.pem"))
        let plain = Configuration(domains: [])

        var running = RunningConfiguration(plain)
        // A reload changes nothing of it.
        for _ in 1...2 {
            let changes = running.changes(to: secured)
            #expect(changes.map(\.description) == ["http.tls: new"])
            #expect(changes.map(\.effect) == [.restart])
            running.reloaded(secured)
        }
        running = RunningConfiguration(secured)
        for _ in 1...2 {
            let changes = running.changes(to: plain)
            #expect(changes.map(\.description) == ["http.tls: removed"])
            #expect(changes.map(\.effect) == [.restart])
            running.reloaded(plain)
        }
        #expect(running.changes(to: secured).isEmpty)
        _ = try folder.write("new", to: "cert.pem")
        let renewed = running.changes(to: secured)
        #expect(renewed.map(\.key) == ["http.tls.cert_file"])
        #expect(renewed.map(\.effect) == [.reload])
    }
}
