import Foundation
import Testing
import WindrowTestSupport

@Suite(.serialized) struct RestoreTests {
    @Test("a journal that was restored from a backup takes a new name, and what it accepts from then on is written")
    func journalFromBackup() throws {
        let station = try Station()
        let journal = station.daemon.path + "/journal"
        let backup = station.daemon.path + "/backup"
        func publish(_ second: Int, _ value: Int) throws {
            try station.publisher.publish(
                #"{"data": [{"v": \#(value), "ts": "\#(stamp(second))"}], "overwrite": "update_window"}"#,
                on: "\(station.root)/1/t")
        }

        try station.daemon.startAndWait()
        try publish(0, 1)
        try station.waitUntilStored([time(0): 1])
        #expect(try station.daemon.stop() == 0)
        try FileManager.default.copyItem(atPath: journal, toPath: backup)

        // Positions that the backup does not know.
        try station.daemon.startAndWait()
        for value in 2...20 { try publish(0, value) }
        try station.waitUntilStored([time(0): 20])
        #expect(try station.daemon.stop() == 0)

        try FileManager.default.removeItem(atPath: journal)
        try FileManager.default.moveItem(atPath: backup, toPath: journal)
        try station.daemon.startAndWait()
        try publish(1, 21)
        try station.waitUntilStored([time(0): 20, time(1): 21])
        try station.daemon.waitUntilLogged("older than what was written from it")
        try station.checkAccounting()
        #expect(try station.daemon.stop() == 0)
    }

    @Test("what a restored journal holds and PostgreSQL has is not written again over what came later")
    func unflushedBackup() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        let journal = station.daemon.path + "/journal"
        let backup = station.daemon.path + "/backup"
        func publish(_ value: Int) throws {
            try station.publisher.publish(
                #"{"data": [{"v": \#(value), "ts": "\#(stamp(0))"}], "overwrite": "update_window"}"#,
                on: "\(station.root)/1/t")
        }
        try station.daemon.startAndWait()
        try publish(1)
        try station.waitUntilStored([time(0): 1])
        try sandbox.stop(.postgres)
        try publish(2)
        try waitUntil("the point is accepted") { try station.daemon.metric("windrow_points_pending") == 1 }
        try station.daemon.kill()
        try FileManager.default.copyItem(atPath: journal, toPath: backup)

        try sandbox.start(.postgres)
        try station.daemon.startAndWait()
        try station.waitUntilStored([time(0): 2])
        try publish(3)
        try station.waitUntilStored([time(0): 3])
        #expect(try station.daemon.stop() == 0)

        try FileManager.default.removeItem(atPath: journal)
        try FileManager.default.moveItem(atPath: backup, toPath: journal)
        try station.daemon.startAndWait()
        try station.publisher.publish(#"{"v": 4, "ts": "\#(stamp(1))"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(0): 3, time(1): 4])
        #expect(try station.daemon.stop() == 0)
    }

    @Test("a journal whose file is gone is told, its log is kept, and the daemon goes on", arguments: [true, false])
    func fileGone(isEmpty: Bool) throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        let folder = station.daemon.path + "/journal/demo"
        try station.daemon.startAndWait()
        try sandbox.stop(.postgres)
        try station.publisher.publish(#"{"v": 1, "ts": "\#(stamp(0))"}"#, on: "\(station.root)/1/t")
        try waitUntil("the point is accepted") { try station.daemon.metric("windrow_points_pending") == 1 }
        try station.daemon.kill()
        try FileManager.default.removeItem(atPath: folder + "/journal.sqlite")
        if isEmpty { _ = FileManager.default.createFile(atPath: folder + "/journal.sqlite", contents: Data()) }
        try sandbox.start(.postgres)
        try station.daemon.startAndWait()
        try station.daemon.waitUntilLogged("this is not the journal that was here before")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder).contains {
                $0.hasSuffix("-wal") && $0.contains("damaged")
            })
        #expect(try station.deadLetters().map(\.reason) == ["journal_damaged"])
        try station.publisher.publish(#"{"v": 2, "ts": "\#(stamp(1))"}"#, on: "\(station.root)/1/t")
        try station.waitUntilStored([time(1): 2])
        #expect(try station.daemon.stop() == 0)
    }
}
