import LibPQ
import Testing
import Windrow
import WindrowTestSupport

/// A daemon whose points are stored in partitions.
@Suite struct StorageTests {
    private func station() throws -> Station {
        try Station(domain: "    storage: {engine: partitions, interval: 1 week, retention: 30 years}")
    }

    private func makeExtension(_ station: Station) throws {
        try Connection(station.database + " user=postgres", applicationName: "windrow tests").script(
            """
            CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;
            GRANT ALL ON SCHEMA partman TO windrow; GRANT ALL ON ALL TABLES IN SCHEMA partman TO windrow
            """)
    }

    private func check(_ station: Station) throws -> (output: String, exitCode: Int32) {
        let result = try Command.run(Project.program("windrow"), ["check", "--config", station.daemon.configuration])
        return (
            result.output.split(separator: "\n").filter { $0.contains("storage") }.joined(separator: "\n"),
            result.status
        )
    }

    @Test("without the extension points wait, log and check say what is to be done, and then they are stored")
    func missingExtension() throws {
        let station = try station()
        try station.daemon.start()
        try waitUntil("the daemon listens") { (try? station.daemon.get("/healthz").status) == 200 }
        try station.daemon.waitUntilLogged("subscribed")
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        let help = "a superuser has to run there: CREATE SCHEMA IF NOT EXISTS partman; CREATE EXTENSION"
        try station.daemon.waitUntilLogged(help)
        try station.daemon.waitUntilLogged("critical")
        #expect(try station.daemon.get("/readyz").body.contains(help))
        let before = try check(station)
        #expect(
            before.output.hasPrefix("FAIL  demo storage: ") && before.output.contains(help) && before.exitCode == 78)

        try makeExtension(station)
        try station.waitUntilStored([time(0): 1])
        let after = try check(station)
        #expect(
            after.output.hasPrefix("ok    demo storage: ")
                && after.output.hasSuffix("partitions of 1 week, kept for 30 years"))
        #expect(after.exitCode == 0)
        #expect(try station.daemon.stop() == 0)
    }

    @Test("every kind of edit, over years that have no partition yet, gives what a plain table would hold")
    func mixedLoad() throws {
        let station = try station()
        try makeExtension(station)
        try station.daemon.startAndWait()
        try Connection(station.database, applicationName: "windrow tests").script(
            "UPDATE partman.part_config SET retention = '40 years'")
        let count = 1000
        let gateways = Clients(station.publisher, MixedLoad.lines(0..<count, root: station.root))
        var years: [Int64: Double] = [:]
        for year in 2000..<2023 {
            let text = "\(year)-06-15T00:00:00Z"
            try station.publisher.publish(#"{"v": \#(year), "ts": "\#(text)"}"#, on: "\(station.root)/2/t")
            years[try #require(Timestamp(rfc3339: text)).microseconds] = Double(year)
        }
        try gateways.wait()
        for (tag, points) in MixedLoad.expected(count) { try station.waitUntilStored(points, tag: tag) }
        try station.waitUntilStored(years, node: 2)
        try station.checkAccounting()
        try station.daemon.waitUntilLogged(
            "the retention that pg_partman had was not that of the configuration, and was changed from=\"40 years\" to=\"30 years\""
        )
        #expect(try station.deadLetters().isEmpty)
        #expect(try station.daemon.stop() == 0)
    }

    @Test("a plain table that holds points is written on as it is, and log and check say what changes that")
    func plainStays() throws {
        let station = try station()
        try makeExtension(station)
        let schema = try Schema("windrow")
        let connection = try Connection(station.database, applicationName: "windrow tests")
        try schema.migrate(connection)
        try connection.script("INSERT INTO windrow.point VALUES (77, now(), 1)")
        try station.daemon.startAndWait()
        try station.publisher.publish(#"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 1])
        try station.daemon.waitUntilLogged("`windrow migrate` changes it engine=plain storage.engine=partitions")
        let found = try check(station)
        #expect(found.output.hasPrefix("warn  demo storage: the engine of windrow.point is plain and not partitions"))
        #expect(found.exitCode == 0)
        #expect(try station.daemon.stop() == 0)
    }
}
