import Foundation
import Glibc
import Testing
import WindrowTestSupport

@Suite(.serialized) struct DiskTests {
    @Test(
        "a journal that has filled its disk in an outage is emptied when PostgreSQL is back, and nothing is lost",
        .enabled(if: geteuid() == 0))
    func fullDisk() throws {
        let disk = try SmallDisk(mebibytes: 48)
        let sandbox = try Sandbox()
        let station = try Station(
            sandbox: sandbox, subscription: "            epoch: s", journal: disk.folder.path
        )
        try station.daemon.startAndWait()
        try sandbox.stop(.postgres)
        let (messages, points) = (24_000, 100)
        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        try publisher.publish(messages) { number in
            let start = time(Int64(number) * Int64(points))
            let data = (0..<points).map { #"{"v":\#($0),"ts":\#(start / 1_000_000 + Int64($0))}"# }
            return ("\(station.root)/1/t", "[" + data.joined(separator: ",") + "]")
        }
        try station.daemon.waitUntilLogged("full")
        try sandbox.start(.postgres)
        try waitUntil("everything is stored", timeout: .seconds(120)) { try station.count() == messages * points }
        try station.daemon.waitUntilReady()
        #expect(try station.deadLetters(in: disk.folder.path + "/demo").isEmpty)
        try station.checkAccounting()
        #expect(try station.daemon.stop() == 0)
    }

    @Test("a journal at its max_size pauses the intake by a clean disconnect, and goes on by itself")
    func fullJournal() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox, subscription: "            epoch: s")
        let text = try String(contentsOfFile: station.daemon.configuration, encoding: .utf8)
        try text.replacingOccurrences(of: "/journal\n", with: "/journal\n  max_size: 4MiB\n")
            .write(toFile: station.daemon.configuration, atomically: true, encoding: .utf8)
        try station.daemon.startAndWait()
        try sandbox.stop(.postgres)
        let (messages, points) = (3_000, 100)
        let publisher = try BacklogPublisher(port: sandbox.mqttPort)
        try publisher.publish(messages) { number in
            let start = time(Int64(number) * Int64(points)) / 1_000_000
            let data = (0..<points).map { #"{"v":\#($0),"ts":\#(start + Int64($0))}"# }
            return ("\(station.root)/1/t", "[" + data.joined(separator: ",") + "]")
        }
        try waitUntil("the full journal is told") { try station.daemon.get("/readyz").body.contains("journal") }
        try station.daemon.waitUntilLogged("the journal is full; the broker keeps the messages")
        #expect(try station.daemon.metric("windrow_journal_bytes") ?? 0 <= Double(4 << 20))
        try sandbox.start(.postgres)
        try waitUntil("everything is stored", timeout: .seconds(60)) { try station.count() == messages * points }
        try station.daemon.waitUntilReady()
        try station.checkAccounting()
    }
}
