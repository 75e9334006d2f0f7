import Foundation
import GRDB
import Logging
import Testing
import WindrowTestSupport

@testable import Windrow

private func open(_ folder: TemporaryFolder) throws -> Journal {
    try Journal(
        folder: folder.path, bounds: Journal.Bounds(maxSize: 64 << 20, maxDeadLetters: 1 << 20),
        log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}

private func batch(_ number: Int, points: Int) -> RecordBatch {
    var batch = RecordBatch()
    batch.beginRecord()
    batch.append(
        .update, to: SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t")),
        points: (0..<points).map { Point(timestamp: Timestamp(microseconds: Int64($0)), value: Double(number)) })
    return batch
}

@Suite struct JournalDamageTests {
    /// A closed journal of many batches, of which some were trimmed, and dead letters.
    private struct Sample {
        var uuid: NodeUUID
        var kept: [Int64: RecordBatch]
        var files: [String: Data]

        init() throws {
            let folder = try TemporaryFolder(inMemory: true)
            let journal = try open(folder)
            uuid = journal.uuid
            kept = [:]
            for number in 1...300 {
                // Some in a cell of a page, some over several pages.
                let batch = batch(number, points: number % 10 == 0 ? 1000 : number % 7 + 1)
                kept[try journal.append([batch])[0].number] = batch
            }
            try journal.trim(through: JournalPosition(20))
            kept = kept.filter { $0.key > 20 }
            for number in 0..<50 {
                _ = try journal.append(
                    [],
                    deadLetters: [
                        Array("letter \(number)".utf8).withUnsafeBytes {
                            DeadLetter(
                                receivedAt: .now, topic: "t", payload: $0, rejection: Rejection(.badValue, "no"))
                        }
                    ])
            }
            try journal.close()
            files = [:]
            for name in ["journal.sqlite", "lock"] {
                files[name] = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name))
            }
        }
    }

    private static let sample = Result { try Sample() }

    /// Puts the sample into a folder.
    private static func fill(_ folder: TemporaryFolder) throws -> (uuid: NodeUUID, [Int64: RecordBatch]) {
        let sample = try sample.get()
        for (name, data) in sample.files { try data.write(to: URL(fileURLWithPath: folder.path + "/" + name)) }
        return (sample.uuid, sample.kept)
    }

    @Test("a file that is no database at all is set aside as it is, and a new journal with another UUID begins")
    func garbage() throws {
        let folder = try TemporaryFolder(inMemory: true)
        let file = URL(fileURLWithPath: folder.path + "/journal.sqlite")
        let (uuid, _) = try Self.fill(folder)
        let garbage = Data(
            "not a database at all, but long enough to have a header of its own; ".utf8
                + [UInt8](repeating: 0x78, count: 100))
        try garbage.write(to: file)
        let journal = try open(folder)
        #expect(journal.uuid != uuid)
        _ = try journal.append([batch(1, points: 1)])
        let aside = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.contains("damaged") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
        #expect(aside.count == 1)
        let kept = try #require(aside.first)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + kept)) == garbage)
    }

    @Test(
        "of a page that is gone, only its own batches are missing; the rest goes on at its positions under the same UUID"
    )
    func page() throws {
        let folder = try TemporaryFolder(inMemory: true)
        let path = folder.path + "/journal.sqlite"
        let (uuid, kept) = try Self.fill(folder)
        let queue = try DatabaseQueue(path: path)
        // A leaf of the table in its middle.
        let page = try queue.read { db in
            try Int.fetchOne(
                db,
                sql:
                    "SELECT pageno FROM dbstat WHERE name = 'batch' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 5"
            )
        }
        try queue.close()
        let number = try #require(page)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.seek(toOffset: UInt64(number - 1) * 4096)
        try file.write(contentsOf: Data(count: 4096))
        try file.close()

        for isAgain in [false, true] {
            let journal = try open(folder)
            #expect(journal.uuid == uuid)
            #expect(journal.lastPositionAtOpen.number == 300)
            let read = try journal.read(after: .start, byteLimit: .max)
            let missing = Set(kept.keys).subtracting(read.map(\.position.number))
            #expect(!missing.isEmpty && missing.count < 60)
            for stored in read { #expect(stored.batch == kept[stored.position.number]) }
            // Told once, and the second time the file is sound.
            let letters = try journal.deadLetters(limit: 100).map(\.letter)
            #expect(letters.count == 51)
            #expect(
                letters.contains {
                    $0.reason == .journalDamaged && $0.detail.hasPrefix("at least \(missing.count) batches")
                })
            if isAgain { #expect(try journal.append([batch(1, points: 1)]).map(\.number) == [301]) }
            try journal.close()
        }
    }

    @Test(
        "a value that cannot be one of the journal's is damage, though SQLite finds nothing wrong: all else is saved",
        arguments: [
            // The UUID: the file beside the journal has it, too.
            "UPDATE journal SET uuid = '6c64951f-51cf-47e9-8181-7(d1ac30109d'", "UPDATE journal SET uuid = x'00ff'",
            "INSERT INTO journal VALUES ('two')",
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE journal - ' WHERE name = 'journal'",
            // The last position: none may be given away twice.
            "UPDATE sqlite_sequence SET seq = 17 WHERE name = 'batch'",
            "DELETE FROM sqlite_sequence WHERE name = 'batch'",
            "UPDATE sqlite_sequence SET seq = 'x' WHERE name = 'batch'",
            // Values of another type.
            "UPDATE batch SET body = 1.5 WHERE position = 100",
            "UPDATE dead_letter SET payload = 7, detail = x'ff00', received_at = 'never', bytes = 'many'",
        ])
    func values(damage: String) throws {
        let folder = try TemporaryFolder(inMemory: true)
        let (uuid, kept) = try Self.fill(folder)
        let queue = try DatabaseQueue(path: folder.path + "/journal.sqlite")
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON; \(damage)")
        }
        try queue.close()
        let journal = try open(folder)
        #expect(journal.uuid == uuid)
        let read = try journal.read(after: .start, byteLimit: .max)
        #expect(read.map(\.position.number) == kept.keys.sorted())
        for stored in read where stored.position.number != 100 { #expect(stored.batch == kept[stored.position.number]) }
        #expect(try journal.append([batch(1, points: 1)])[0].number > 300)
        #expect(try journal.deadLetters(limit: 100).count >= 50)
        try journal.close()
    }

    @Test("a crash in the middle of saving leaves the old journal, or the new one whole")
    func crash() throws {
        let folder = try TemporaryFolder(inMemory: true)
        let path = folder.path + "/journal.sqlite"
        let (uuid, kept) = try Self.fill(folder)
        // Before the damaged file was renamed: it counts, and what is beside it does not.
        try Data("half".utf8).write(to: URL(fileURLWithPath: path + ".new"))
        do {
            let journal = try open(folder)
            #expect(journal.uuid == uuid)
            try journal.close()
        }
        #expect(!FileManager.default.fileExists(atPath: path + ".new"))
        // After it: the log of the damaged file must not be taken for the new one's.
        #expect(rename(path, path + ".new") == 0)
        let other = try TemporaryFolder(inMemory: true)
        let running = try Self.fillAndLeave(other)
        unlink(path + "-wal")
        try FileManager.default.copyItem(atPath: other.path + "/journal.sqlite-wal", toPath: path + "-wal")
        withExtendedLifetime(running) {}
        let journal = try open(folder)
        #expect(journal.uuid == uuid)
        #expect(try journal.read(after: .start, byteLimit: .max).count == kept.count)
        try journal.close()
    }

    /// A journal that is open still: its newest batches are in the write-ahead log.
    private static func fillAndLeave(_ folder: TemporaryFolder) throws -> Journal {
        let journal = try open(folder)
        for number in 1...60 { _ = try journal.append([batch(number, points: number % 5 * 20 + 1)]) }
        return journal
    }

    /// With it a page is lost that leads to the newest batches.
    private static let logSeed: UInt64 = 4_748_987_683_874_958_116

    @Test(
        "bytes that change in the write-ahead log cost few batches, and never silently",
        arguments: [logSeed, UInt64.random(in: 0...UInt64.max)])
    func log(seed: UInt64) throws {
        print("log damage seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let original = try TemporaryFolder(inMemory: true)
        let running = try Self.fillAndLeave(original)
        let (file, log) = try (
            Data(contentsOf: URL(fileURLWithPath: original.path + "/journal.sqlite")),
            Data(contentsOf: URL(fileURLWithPath: original.path + "/journal.sqlite-wal"))
        )
        try running.close()
        func read(_ log: Data) throws -> (batches: [RecordBatch], isTold: Bool, isSetAside: Bool) {
            let folder = try TemporaryFolder(inMemory: true)
            let path = folder.path + "/journal.sqlite"
            try file.write(to: URL(fileURLWithPath: path))
            try log.write(to: URL(fileURLWithPath: path + "-wal"))
            try FileManager.default.copyItem(atPath: original.path + "/lock", toPath: folder.path + "/lock")
            let journal = try open(folder)
            let batches = try journal.read(after: .start, byteLimit: .max).map(\.batch)
            let isTold = try journal.deadLetters(limit: 1000).contains { $0.letter.reason == .journalDamaged }
            try journal.close()
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            return (batches, isTold, names.contains { $0.contains("damaged") })
        }
        let all = try read(log)
        #expect(all.batches.count == 60 && !all.isSetAside)
        // Cut off: what remains is a sound log, but the note beside it tells that there was more.
        let torn = try read(log.dropLast(100))
        #expect(torn.batches == Array(all.batches.dropLast()) && !torn.isSetAside && torn.isTold)
        #expect(try read(log.prefix(200_000)).isTold)

        // The last transaction has three frames at most.
        let end = log.count - 4 * 4120
        // Of a new seed a part: there is one in each run.
        for round in stride(from: 0, to: 60, by: seed == Self.logSeed ? 1 : 3) {
            var damaged = log
            let place = round < 10 ? round * 3 : Int.random(in: 32..<end - 4096, using: &random)
            if round < 30 {
                damaged[place] ^= UInt8.random(in: 1...255, using: &random)
            } else {
                damaged.replaceSubrange(place..<place + 4096, with: Data(count: 4096))
            }
            let found = try read(damaged)
            let whole = found.batches.filter { !$0.isEmpty }
            #expect(found.isSetAside, "byte \(place)")
            // A page that is gone may be the one that leads to all others.
            #expect(whole.count >= (round < 30 ? 40 : 0), "byte \(place): \(whole.count) of 60")
            #expect(whole.count == 60 || found.isTold, "byte \(place)")
            #expect(whole.allSatisfy(all.batches.contains), "byte \(place)")
        }
    }

    @Test("a log that is no log is left to SQLite, and the journal can be closed and opened again")
    func garbageLog() throws {
        let folder = try TemporaryFolder(inMemory: true)
        let path = folder.path + "/journal.sqlite"
        let (uuid, kept) = try Self.fill(folder)
        try Data(String(repeating: "hello world\n", count: 20_000).utf8).write(to: URL(fileURLWithPath: path + "-wal"))
        for _ in 0..<2 {
            let journal = try open(folder)
            #expect(journal.uuid == uuid)
            #expect(try journal.read(after: .start, byteLimit: .max).count >= kept.count)
            _ = try journal.append([batch(1, points: 1)])
            try journal.close()
        }
    }

    /// With it a column gets another name.
    private static let fileSeed: UInt64 = 15_044_316_364_977_678_443

    @Test(
        "whatever bytes are damaged, the journal opens, and what it gives is what was put in or is told to be damaged",
        arguments: [fileSeed, UInt64.random(in: 0...UInt64.max)])
    func random(seed: UInt64) throws {
        print("journal damage seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let original = try TemporaryFolder(inMemory: true)
        let (_, kept) = try Self.fill(original)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: original.path + "/journal.sqlite"))
        var saved = 0
        let rounds = seed == Self.fileSeed ? 30 : 12
        for round in 0..<rounds {
            let folder = try TemporaryFolder(inMemory: true)
            var damaged = bytes
            switch round % 3 {
            case 0:
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    damaged[Int.random(in: 100..<damaged.count, using: &random)] ^= UInt8.random(
                        in: 1...255, using: &random)
                }
            case 1:
                let start = Int.random(in: 1..<damaged.count / 4096, using: &random) * 4096
                damaged.replaceSubrange(start..<start + 4096, with: Data(count: 4096))
            default: damaged.removeLast(Int.random(in: 1..<damaged.count, using: &random))
            }
            try damaged.write(to: URL(fileURLWithPath: folder.path + "/journal.sqlite"))
            let journal = try open(folder)
            let read = try journal.read(after: .start, byteLimit: .max)
            for stored in read where !stored.batch.isEmpty {
                #expect(
                    stored.batch == kept[stored.position.number], "round \(round), position \(stored.position.number)")
            }
            let whole = read.count { !$0.batch.isEmpty }
            saved += whole
            if whole < kept.count {
                // What is missing is never missing silently.
                let isTold = try journal.deadLetters(limit: 1000).contains { $0.letter.reason == .journalDamaged }
                let isSetAside = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                    .contains { $0.contains("damaged") }
                #expect(isTold || isSetAside, "round \(round)")
            }
            let next = try journal.append([batch(1, points: 1)])
            #expect(next[0] > (read.last?.position ?? .start))
            try journal.close()
        }
        // Flipped bytes and lost pages cost little; a cut file loses what is cut.
        #expect(Double(saved) > Double(rounds * kept.count) * 0.5)
    }
}
