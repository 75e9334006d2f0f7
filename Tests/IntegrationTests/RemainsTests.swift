import Foundation
import Testing
import WindrowTestSupport

@Suite struct RemainsTests {
    /// As the package asks before a removal.
    private func remains(_ directory: String) throws -> String {
        try Command.require(Project.program("windrow"), ["remains", directory])
    }

    @Test("a journal may be deleted once PostgreSQL has what it held, and not before")
    func waits() throws {
        let journal = try TemporaryFolder()
        let elsewhere = try DaemonProcess(
            domains: "  demo: {postgres: host=127.0.0.1 port=1, keys_file: demo.keys}", http: "  commit_timeout: 1ms",
            journal: journal.path)
        try elsewhere.start()
        try waitUntil("the daemon runs") { try elsewhere.get("/healthz").status == 200 }
        #expect(try HTTPConnection(port: elsewhere.httpPort).post(Station.call(), element([item(0, 1)])).status == 202)
        try elsewhere.stop()
        #expect(try remains(journal.path) == "\(journal.path)/demo: batches that are not in PostgreSQL: 1\n")

        let station = try Station(journal: journal.path)
        try station.daemon.startAndWait()
        try waitUntil("PostgreSQL has it") { try station.stored().count == 1 }
        try station.daemon.stop()
        #expect(try remains(journal.path) == "")
    }

    @Test("nothing may be deleted that cannot be read, or was set aside; where nothing is, all may be")
    func unreadable() throws {
        let journal = try TemporaryFolder()
        #expect(try remains(journal.path) == "")
        #expect(try remains(journal.path + "/none") == "")
        try FileManager.default.createDirectory(atPath: journal.path + "/a", withIntermediateDirectories: true)
        #expect(try remains(journal.path) == "")
        try journal.write("x", to: "a/journal.sqlite.damaged-1")
        #expect(try remains(journal.path) == "\(journal.path)/a: journal.sqlite.damaged-1, a damaged journal\n")
        try journal.write("no journal", to: "a/journal.sqlite")
        #expect(try remains(journal.path).contains("\(journal.path)/a: cannot be read: "))
    }
}
