import Foundation
import LibPQ
import Testing
import WindrowTestSupport

@Suite(.serialized) struct FaultPointTests {
    /// Posts one point after the other, each until it is acknowledged, as the description of the call asks of clients.
    private static func post(_ count: Int, to port: UInt16) throws {
        var client: HTTPConnection?
        for second in 0..<count {
            let body =
                #"[{"node_id": 1, "tag": "http", "data": [{"v": \#(second), "ts": "\#(stamp(second))"}]}]"#
            try waitUntil("point \(second) is acknowledged") {
                do {
                    let connection = try client ?? HTTPConnection(port: port)
                    client = connection
                    let status = try connection.post(Station.call("overwrite=update_window"), body).status
                    return [200, 202].contains(status)
                } catch {
                    // The daemon is gone, or not there yet.
                    client = nil
                    return false
                }
            }
        }
    }

    @Test(
        "killed at a named place of the data's path, the daemon has lost and doubled nothing when it is started again",
        arguments: [
            "journal-before-commit:3", "journal-after-commit:3", "acks-before:1", "acks-after:1",
            "flush-in-transaction:2",
            "flush-before-commit:2", "flush-after-commit:2", "dead-letters-kept:1", "trim-after:1", "answer-before:5",
        ])
    func dies(at point: String) throws {
        let station = try Station(domain: "    lanes: 2")
        try station.daemon.startAndWait()
        let connection = try Connection(station.database, applicationName: "windrow tests")
        try connection.execute("ALTER TABLE windrow.point ADD CONSTRAINT sane CHECK (v < 1e6)")
        #expect(try station.daemon.stop() == 0)

        try station.daemon.start(environment: ["WINDROW_FAULT": point])
        let count = 400
        let port = station.daemon.httpPort
        var lines = MixedLoad.lines(0..<count, root: station.root)
        // One in forty is refused by PostgreSQL.
        lines["\(station.root)/1/poison"] = (0..<count).map {
            #"{"v": \#($0 % 40 == 7 ? 1e9 : 1), "ts": "\#(stamp($0))"}"#
        }
        let gateways = Clients(station.publisher, lines)
        let posts = Clients([{ try Self.post(60, to: port) }])
        #expect(try station.daemon.waitForExit() == 128 + SIGKILL)
        try station.daemon.startAndWait()
        try gateways.wait()
        try posts.wait()

        for (tag, points) in MixedLoad.expected(count) { try station.waitUntilStored(points, tag: tag) }
        let sane = (0..<count).filter { $0 % 40 != 7 }.map { (time(Int64($0)), 1.0) }
        try station.waitUntilStored(Dictionary(uniqueKeysWithValues: sane), tag: "poison")
        try station.waitUntilStored(
            Dictionary(uniqueKeysWithValues: (0..<60).map { (time(Int64($0)), Double($0)) }), tag: "http")
        #expect(try station.deadLetters().map(\.reason) == Array(repeating: "refused_by_database", count: 10))
        try station.checkAccounting()
        #expect(try station.daemon.stop() == 0)
    }
}
