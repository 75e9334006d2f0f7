import Foundation
import GRDB
import Logging
import Testing
import WindrowTestSupport

@testable import Windrow

private func open(_ folder: TemporaryFolder, maxSize: Int = 64 << 20, maxDeadLetterBytes: Int = 1 << 20) throws
    -> Journal
{
    try Journal(
        folder: folder.path, bounds: Journal.Bounds(maxSize: maxSize, maxDeadLetters: maxDeadLetterBytes),
        log: Logger(label: "test"))
}

private func batch(_ points: Int = 1, at time: Int64 = 0) -> RecordBatch {
    var batch = RecordBatch()
    batch.beginRecord()
    batch.append(
        .update, to: SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t")),
        points: (0..<points).map { Point(timestamp: Timestamp(microseconds: time + Int64($0)), value: 1) })
    return batch
}

private func letter(_ payload: String, reason: Rejection.Reason = .malformedJSON) -> DeadLetter {
    Array(payload.utf8).withUnsafeBytes {
        DeadLetter(receivedAt: .now, topic: "nodes/1/t", payload: $0, rejection: Rejection(reason, "no"))
    }
}

@Suite struct JournalTests {
    @Test("what was appended is read back in order, also by the next process")
    func appendAndRead() throws {
        let folder = try TemporaryFolder()
        let batches = (0..<5).map { batch(at: Int64($0) * 10) }
        let uuid: NodeUUID
        do {
            let journal = try open(folder)
            uuid = journal.uuid
            #expect(try journal.append(Array(batches[..<2])).map(\.number) == [1, 2])
            #expect(try journal.append(Array(batches[2...])).map(\.number) == [3, 4, 5])
            try journal.close()
        }
        let journal = try open(folder)
        #expect(journal.uuid == uuid)
        #expect(journal.lastPositionAtOpen == JournalPosition(5))
        #expect(try journal.read(after: .start, byteLimit: .max).map(\.batch) == batches)
        #expect(try journal.read(after: JournalPosition(3), byteLimit: .max).map(\.position.number) == [4, 5])
        #expect(try journal.read(after: .start, byteLimit: 1).count == 1)
    }

    @Test("a position is never used again, also after everything was trimmed and the daemon started anew")
    func positionsAscend() throws {
        let folder = try TemporaryFolder()
        do {
            let journal = try open(folder)
            let last = try #require(try journal.append([batch(), batch()]).last)
            try journal.trim(through: last)
            #expect(try journal.read(after: .start, byteLimit: .max).isEmpty)
            try journal.close()
        }
        let journal = try open(folder)
        #expect(try journal.append([batch()]).map(\.number) == [3])
    }

    @Test("a commit is synced to the disk: synchronous is FULL")
    func synchronous() throws {
        let folder = try TemporaryFolder()
        let (pool, _) = try JournalFile.open(folder: folder.path)
        #expect(try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
        #expect(try pool.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
    }

    @Test("a full journal refuses batches and has room again only below the low-water mark")
    func bound() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder, maxSize: 1 << 20)
        var positions: [JournalPosition] = []
        while journal.hasRoom { positions += try journal.append([batch(500)]) }
        #expect(journal.usedBytes <= 1 << 20)
        #expect(throws: JournalError.self) { _ = try journal.append([batch(60_000)]) }
        // The file itself keeps to the bound as well, once it has what is in the write-ahead log.
        let file = folder.path + "/journal.sqlite"
        try DatabaseQueue(path: file).writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        let size = try #require(try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int)
        #expect(size > 1 << 19 && size <= 1 << 20)

        try journal.trim(through: positions[1])
        #expect(!journal.hasRoom, "a little room is not enough")
        try journal.trim(through: positions[positions.count / 2])
        #expect(journal.hasRoom)
        _ = try journal.append([batch()])
    }

    @Test("a full disk comes out as full, and nothing of the transaction stays", .enabled(if: geteuid() == 0))
    func fullDisk() throws {
        let folder = try TemporaryFolder()
        #expect(mount("tmpfs", folder.path, "tmpfs", 0, "size=48m") == 0)
        defer { umount2(folder.path, Int32(MNT_DETACH)) }
        let journal = try open(folder)
        var kept = 0
        let error = #expect(throws: JournalError.self) {
            while true { kept += try journal.append([batch(20_000)]).count }
        }
        #expect(error?.kind == .full)
        #expect(try journal.read(after: .start, byteLimit: .max).count == kept)
        // Nothing is freed by anyone else: trimming must do.
        try journal.trim(through: JournalPosition(Int64(kept)))
        _ = try journal.append([batch()])
        try journal.close()
    }

    @Test("a batch that fails its checksum becomes a dead letter and does not block those behind it")
    func damagedBatch() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder)
        _ = try journal.append([batch(at: 1), batch(at: 2), batch(at: 3)])
        let other = try DatabaseQueue(path: folder.path + "/journal.sqlite")
        try other.write {
            try $0.execute(
                sql:
                    "UPDATE batch SET body = CAST(substr(body, 1, length(body) - 1) || x'FF' AS BLOB) WHERE position = 2"
            )
        }
        for _ in 0..<2 {
            let read = try journal.read(after: .start, byteLimit: .max)
            #expect(read.map(\.batch) == [batch(at: 1), RecordBatch(), batch(at: 3)])
        }
        let letters = try journal.deadLetters(limit: 10).map(\.letter)
        #expect(letters.map(\.reason) == [.journalDamaged], "read twice, kept once")
    }

    @Test("a second daemon is kept off the journal")
    func locked() throws {
        let folder = try TemporaryFolder()
        let first = try open(folder)
        let error = #expect(throws: JournalError.self) { _ = try open(folder) }
        #expect(error?.kind == .locked)
        withExtendedLifetime(first) {}
    }

    @Test("a journal of a newer format is refused and left alone")
    func newer() throws {
        let folder = try TemporaryFolder()
        try open(folder).close()
        let other = try DatabaseQueue(path: folder.path + "/journal.sqlite")
        try other.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
        let error = #expect(throws: JournalError.self) { _ = try open(folder) }
        #expect(error?.kind == .tooNew)
    }

    @Test("dead letters are kept with batches of the same transaction; past their bound the oldest go, and are counted")
    func deadLetters() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder, maxDeadLetterBytes: 20_000)
        _ = try journal.append([batch()], deadLetters: [letter("first")])
        #expect(try journal.deadLetters(limit: 10).map(\.letter.payload) == [Array("first".utf8)])
        for _ in 0..<30 { _ = try journal.append([], deadLetters: [letter(String(repeating: "x", count: 1000))]) }
        let kept = try journal.deadLetters(limit: 100).map(\.letter)
        #expect(kept.reduce(0) { $0 + $1.byteCount } <= 20_000)
        #expect(journal.deadLettersDropped == 31 - kept.count)
        #expect(kept.allSatisfy { $0.payload.count == 1000 })
    }

    @Test("a letter for which there is no room leaves the disk the room that emptying the journal needs")
    func ballast() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder, maxDeadLetterBytes: 500)
        let error = #expect(throws: JournalError.self) {
            try journal.append(deadLetters: [(letter(String(repeating: "x", count: 1000)), "acknowledged")])
        }
        #expect(error?.kind == .full)
        #expect(FileManager.default.fileExists(atPath: journal.ballast.path))
    }

    @Test("a payload longer than a mebibyte is kept up to there, with its length")
    func longDeadLetter() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder, maxDeadLetterBytes: 8 << 20)
        _ = try journal.append([], deadLetters: [letter(String(repeating: "x", count: 3 << 20))])
        let kept = try #require(try journal.deadLetters(limit: 1).first?.letter)
        #expect(kept.payload.count == 1 << 20)
        #expect(kept.payloadSize == 3 << 20)
    }

    @Test("a folder that cannot be written gives an error that says what to do")
    func readOnly() throws {
        let error = #expect(throws: JournalError.self) {
            _ = try Journal(
                folder: "/proc/windrow", bounds: Journal.Bounds(maxSize: 1 << 20, maxDeadLetters: 1),
                log: Logger(label: "test"))
        }
        #expect(error?.kind == .unusable)
        #expect(error?.description.contains("journal.directory") == true)
    }

    @Test("the subscriptions of a session are remembered")
    func subscriptions() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder)
        #expect(try journal.subscriptions(of: "a").isEmpty)
        try journal.setSubscriptions(["x", "y"], of: "a")
        try journal.setSubscriptions(["z"], of: "b")
        try journal.setSubscriptions(["y"], of: "a")
        #expect(try journal.subscriptions(of: "a") == ["y"])
        #expect(try journal.subscriptions(of: "b") == ["z"])
    }
}
