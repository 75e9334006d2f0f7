import GRDB
import Logging
import Testing
import WindrowTestSupport

@testable import Windrow

private func open(_ folder: TemporaryFolder, maxSize: Int = 8 << 20) throws -> Journal {
    try Journal(
        folder: folder.path, bounds: Journal.Bounds(maxSize: maxSize, keep: .seconds(60), maxDeadLetters: 1 << 20),
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
        try journal.keep(through: positions[4])
        #expect(journal.keptBytes == half)
        try journal.trim(through: positions[4])
        #expect(journal.keptBytes == 0)
        #expect(journal.trimmed == positions[4])
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
