import Foundation
import GRDB
import Logging
import Synchronization
import Testing
import WindrowTestSupport

@testable import Windrow

private func open(_ folder: TemporaryFolder, in name: String = "", maxSize: Int = 8 << 20) throws -> Journal {
    try Journal(
        folder: folder.path + name,
        bounds: Journal.Bounds(maxSize: maxSize, keep: .seconds(60), maxDeadLetters: 1 << 20),
        log: Logger(label: "test"))
}

/// 16 bytes a point, and a little.
private func batch(points: Int) -> RecordBatch {
    var batch = RecordBatch()
    batch.beginRecord()
    batch.append(
        .update, to: SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t")),
        points: (0..<points).map { Point(timestamp: Timestamp(microseconds: Int64($0)), value: 1) })
    return batch
}

@Suite struct JournalKeepTests {
    @Test("kept batches never keep intake waiting: the oldest go when what comes in needs the room")
    func yields() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder)
        // Three times what it may hold, all of it in PostgreSQL.
        for _ in 0..<100 {
            #expect(journal.hasRoom)
            let last = try #require(try journal.append([batch(points: 15_000)]).last)
            try journal.keep(through: last)
            #expect(!journal.isPaused)
        }
        #expect(journal.trimmed > .start)
        // What waits for PostgreSQL stays, and intake pauses for it.
        var waiting: [JournalPosition] = []
        while journal.hasRoom { waiting += try journal.append([batch(points: 15_000)]) }
        #expect(try journal.read(after: JournalPosition(100), byteLimit: .max).map(\.position) == waiting)
        #expect(journal.keptBytes == 0)
        #expect(waiting.count > 20)
    }

    @Test("after a start, kept batches give way before PostgreSQL is reached, too")
    func yieldsAfterStart() throws {
        let folder = try TemporaryFolder()
        do {
            let journal = try open(folder)
            let last = try #require(try journal.append((0..<20).map { _ in batch(points: 15_000) }).last)
            try journal.keep(through: last)
            journal.noteCommitted(through: last, lanes: [last])
            try journal.close()
        }
        let journal = try open(folder)
        #expect(journal.keptBytes > 4 << 20)
        var waiting: [JournalPosition] = []
        while journal.hasRoom { waiting += try journal.append([batch(points: 15_000)]) }
        #expect(try journal.read(after: JournalPosition(20), byteLimit: .max).map(\.position) == waiting)
        #expect(journal.keptBytes == 0)
        #expect(waiting.count > 20)
    }

    @Test("kept batches are told apart from those that wait, also after a rewind and a trim")
    func keptBytes() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder)
        let positions = try journal.append((0..<10).map { _ in batch(points: 1000) })
        #expect(journal.keptBytes == 0)
        let whole = journal.usedBytes
        #expect(journal.waitingBytes == whole)
        try journal.keep(through: positions[4])
        let half = journal.keptBytes
        #expect(half > whole / 3 && half < whole * 2 / 3)
        try journal.keep(through: positions[9])
        #expect(journal.keptBytes == 2 * half)
        #expect(journal.room > journal.maxBytes * 3 / 4)
        // As on a file system that says it has no bound.
        #expect(Journal.sum(.max, journal.keptBytes) == .max)
        try journal.keep(through: positions[4])
        #expect(journal.keptBytes == half)
        try journal.trim(through: positions[4])
        #expect(journal.keptBytes == 0)
        #expect(journal.trimmed == positions[4])
    }

    @Test("kept batches give way to what comes in where the disk is short, also when others have filled it")
    func shortDisk() throws {
        try #require(geteuid() == 0, "only root may mount a small disk")
        let disk = try SmallDisk(mebibytes: 64)
        let journal = try open(disk.folder, in: "/demo", maxSize: 1 << 30)
        let batches = (0..<8).map { _ in batch(points: 15_000) }
        func append() throws {
            try journal.keep(through: try #require(try journal.append(batches).last))
            #expect(journal.hasRoom && !journal.isPaused)
        }
        // Three times what fits, all of it in PostgreSQL.
        for _ in 0..<60 { try append() }
        let before = journal.trimmed
        #expect(before > .start && journal.keptBytes > 0)
        disk.fill()
        for _ in 0..<5 { try append() }
        #expect(journal.trimmed > before)
        // What waits for PostgreSQL stays, and intake pauses for it.
        let last = journal.lastKept
        var waiting: [JournalPosition] = []
        #expect(throws: JournalError.self) { while true { waiting += try journal.append(batches) } }
        #expect(journal.isPaused && journal.keptBytes == 0)
        #expect(try journal.read(after: last, byteLimit: .max).map(\.position) == waiting)
    }

    @Test("kept batches are counted right, whoever makes room meanwhile")
    func makingRoom() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder, maxSize: 2 << 20)
        let isDone = Atomic(false)
        DispatchQueue.concurrentPerform(iterations: 2) { place in
            if place == 0 {
                while !isDone.load(ordering: .relaxed) { journal.makeRoom() }
            } else {
                defer { isDone.store(true, ordering: .relaxed) }
                do {
                    for _ in 0..<300 {
                        guard let last = try journal.append([batch(points: 2000)]).last else { return }
                        try journal.keep(through: last)
                    }
                } catch {
                    Issue.record(error)
                }
            }
        }
        #expect(journal.trimmed > .start)
        let kept = try journal.read("measure") { try Journal.bytes(after: .start, through: journal.lastKept, $0) }
        #expect(journal.keptBytes == kept)
    }

    @Test("what a failover has lost is kept from those who make room at the same moment")
    func rewoundMeanwhile() throws {
        let folder = try TemporaryFolder()
        let journal = try open(folder)
        let positions = try journal.append((0..<10).map { _ in batch(points: 10) })
        try journal.keep(through: positions[9])
        // Somebody has found out how much could be trimmed, and only now does it.
        try journal.keep(through: positions[4])
        try journal.trim(through: positions[9], isYielding: true)
        #expect(try journal.read(after: .start, byteLimit: .max).map(\.position) == Array(positions[5...]))
        #expect(journal.trimmed == positions[4] && journal.keptBytes == 0)
    }

    @Test("what is committed is noted for the next start, and the note of another journal says nothing")
    func note() throws {
        let folder = try TemporaryFolder()
        let lanes = [JournalPosition(7), JournalPosition(123_456_789)]
        do {
            let journal = try open(folder)
            #expect(journal.noteAtOpen == nil)
            journal.noteCommitted(through: JournalPosition(1_000_000), lanes: lanes)
            // A shorter line over a longer one.
            journal.noteCommitted(through: JournalPosition(7), lanes: lanes)
            try journal.close()
        }
        do {
            let journal = try open(folder)
            #expect(
                journal.noteAtOpen
                    == CommittedNote(
                        journal: journal.uuid, trimmed: .start, through: JournalPosition(7), lanes: lanes))
            try journal.rename(to: NodeUUID(high: 1, low: 2))
            try journal.close()
        }
        #expect(try open(folder).noteAtOpen == nil)
    }

    @Test("a note that was not written for the last trims does not hide them")
    func oldNote() throws {
        let folder = try TemporaryFolder()
        do {
            let journal = try open(folder)
            let positions = try journal.append((0..<10).map { _ in batch(points: 1) })
            journal.noteCommitted(through: positions[9], lanes: [positions[9]])
            try journal.trim(through: positions[6])
            try journal.close()
        }
        #expect(try open(folder).trimmed == JournalPosition(7))
    }

    @Test("a line that is no note says nothing, also with the checksum of one")
    func noNote() throws {
        let folder = try TemporaryFolder()
        for text in ["00000000-0000-0001-0000-000000000002 1 x 3", "00000000-0000-0001-0000-000000000002 1", "", "x"] {
            let checksum = String(Array(text.utf8).withUnsafeBytes { CRC32C.checksum($0) }, radix: 16)
            try folder.write("\(checksum) \(text)\n", to: "committed")
            #expect(CommittedNote.read(in: folder.path) == nil, "\(text)")
        }
    }

    @Test("what the note says is settled only where the database has all that it had of each lane")
    func settled() {
        let note = CommittedNote(
            journal: NodeUUID(high: 1, low: 2), trimmed: .start, through: JournalPosition(90),
            lanes: [JournalPosition(95), JournalPosition(5)])
        func settled(_ stored: [Int: Int64]) -> Int64 { note.settled(stored.mapValues(JournalPosition.init)).number }
        #expect(settled([0: 95, 1: 5]) == 90)
        #expect(settled([0: 95, 1: 5, 2: 7]) == 90)
        #expect(settled([0: 94, 1: 5]) == 0)
        #expect(settled([0: 95]) == 0)
        #expect(settled([:]) == 0)
    }

    @Test("lost is what was committed, is not stored, and is in the journal no more")
    func lost() {
        func positions(_ numbers: Int64...) -> [JournalPosition] { numbers.map(JournalPosition.init) }
        let lost = CommittedNote.lost(
            committed: positions(90, 50, 100, 20), stored: positions(40, 50, 70, 5), trimmed: JournalPosition(60))
        #expect(lost.map(\.lane) == [0, 3])
        #expect(lost.map(\.positions) == [41...60, 6...20])
    }
}

@Suite struct KeepScheduleTests {
    private let start = ContinuousClock.now

    @Test("a batch stays for as long as is asked after it was committed, and no second longer than that and a step")
    func due() {
        var schedule = KeepSchedule()
        func due(_ committed: Int64, at second: Int) -> Int64 {
            schedule.due(JournalPosition(committed), keep: .seconds(60), at: start + .seconds(second)).number
        }
        #expect(due(10, at: 0) == 0)
        #expect(due(20, at: 30) == 0)
        #expect(due(20, at: 59) == 0)
        #expect(due(30, at: 60) == 10)
        #expect(due(30, at: 89) == 10)
        #expect(due(30, at: 90) == 20)
        #expect(due(30, at: 1000) == 30)
    }

    @Test("what a failover has lost is kept from its second commit on")
    func rewind() {
        var schedule = KeepSchedule()
        func due(_ committed: Int64, at second: Int) -> Int64 {
            schedule.due(JournalPosition(committed), keep: .seconds(60), at: start + .seconds(second)).number
        }
        _ = due(10, at: 0)
        _ = due(20, at: 10)
        schedule.rewind(to: JournalPosition(10))
        #expect(due(10, at: 40) == 0)
        #expect(due(20, at: 50) == 0)
        #expect(due(20, at: 60) == 10)
        #expect(due(20, at: 109) == 10)
        #expect(due(20, at: 110) == 20)
    }

    @Test("without a time to keep, all that is committed goes at once, also what was kept before a reload")
    func nothingKept() {
        var schedule = KeepSchedule()
        #expect(schedule.due(JournalPosition(5), keep: .seconds(60), at: start) == .start)
        #expect(schedule.due(JournalPosition(9), keep: .zero, at: start) == JournalPosition(9))
    }

    @Test("however long batches are kept, little is remembered")
    func bounded() {
        var schedule = KeepSchedule()
        let month = 30 * 86_400
        for second in stride(from: 0, to: 2 * month, by: 60) {
            _ = schedule.due(JournalPosition(Int64(second)), keep: .seconds(month), at: start + .seconds(second))
        }
        #expect(schedule.sampleCount <= 514)
    }
}
