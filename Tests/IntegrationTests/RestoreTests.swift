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
        #expect(station.daemon.log.contains("older than what was written from it"))
        try station.checkAccounting()
        #expect(try station.daemon.stop() == 0)
    }
}
