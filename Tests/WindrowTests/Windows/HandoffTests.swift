import Testing

@testable import Windrow

private func stored(_ position: Int64, points: Int = 1) -> Journal.StoredBatch {
    var batch = RecordBatch()
    batch.beginRecord()
    batch.append(
        .update, to: SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t")),
        points: (0..<points).map { Point(timestamp: Timestamp(microseconds: Int64($0)), value: 1) })
    return Journal.StoredBatch(position: JournalPosition(position), batch: batch)
}

private func positions(_ next: Handoff.Next) -> [Int64]? {
    if case .batches(let batches) = next { batches.map(\.position.number) } else { nil }
}

private func isReadJournal(_ next: Handoff.Next) -> Bool {
    if case .readJournal = next { true } else { false }
}

@Suite struct HandoffTests {
    @Test("what the journal held before comes from the journal, what comes after it from memory")
    func goesLive() {
        let handoff = Handoff(last: JournalPosition(3), byteLimit: 10_000)
        #expect(isReadJournal(handoff.next(after: JournalPosition(1), timeout: .zero)))
        handoff.offer([stored(4)])
        // Not live yet: 4 must come from the journal too, in order.
        #expect(isReadJournal(handoff.next(after: JournalPosition(3), timeout: .zero)))
        guard case .nothing = handoff.next(after: JournalPosition(4), timeout: .zero) else {
            Issue.record("expected nothing")
            return
        }
        handoff.offer([stored(5), stored(6)])
        #expect(positions(handoff.next(after: JournalPosition(4), timeout: .zero)) == [5, 6])
    }

    @Test("a rewind comes before all else, and what was queued is read back from the journal")
    func rewind() {
        let handoff = Handoff(last: JournalPosition(3), byteLimit: 10_000)
        _ = handoff.next(after: JournalPosition(3), timeout: .zero)
        handoff.offer([stored(4), stored(5)])
        handoff.wantRewind()
        guard case .rewind = handoff.next(after: JournalPosition(3), timeout: .zero) else {
            Issue.record("expected a rewind")
            return
        }
        handoff.beginRewind()
        #expect(isReadJournal(handoff.next(after: JournalPosition(1), timeout: .zero)))
        handoff.offer([stored(6)])
        #expect(isReadJournal(handoff.next(after: JournalPosition(5), timeout: .zero)))
    }

    @Test("a batch that is read back from the journal has the time of its receipt, unless an earlier run received it")
    func times() {
        let handoff = Handoff(last: JournalPosition(3), byteLimit: 10_000)
        let time = ContinuousClock.now
        var batch = stored(4)
        batch.receivedAt = time
        handoff.offer([batch])
        #expect(handoff.receivedAt(JournalPosition(3)) == nil)
        #expect(handoff.receivedAt(JournalPosition(4)) == time)
    }

    @Test("past its bound the rest is read back from the journal, and none is skipped or doubled")
    func bound() {
        let size = stored(1, points: 10).batch.byteCount
        let handoff = Handoff(last: .start, byteLimit: 2 * size)
        guard case .nothing = handoff.next(after: .start, timeout: .zero) else {
            Issue.record("expected nothing")
            return
        }
        for position in Int64(1)...4 { handoff.offer([stored(position, points: 10)]) }
        #expect(positions(handoff.next(after: .start, timeout: .zero)) == [1, 2])
        handoff.offer([stored(5)])
        #expect(isReadJournal(handoff.next(after: JournalPosition(2), timeout: .zero)))
        guard case .nothing = handoff.next(after: JournalPosition(5), timeout: .zero) else {
            Issue.record("expected nothing")
            return
        }
        handoff.offer([stored(6)])
        #expect(positions(handoff.next(after: JournalPosition(5), timeout: .zero)) == [6])
    }

    @Test("a bound that is lowered holds from the next batch on, and what is queued stays")
    func otherBound() {
        let size = stored(1, points: 10).batch.byteCount
        let handoff = Handoff(last: .start, byteLimit: 4 * size)
        _ = handoff.next(after: .start, timeout: .zero)
        for position in Int64(1)...2 { handoff.offer([stored(position, points: 10)]) }
        handoff.setLimit(2 * size)
        handoff.offer([stored(3, points: 10)])
        #expect(positions(handoff.next(after: .start, timeout: .zero)) == [1, 2])
        #expect(isReadJournal(handoff.next(after: JournalPosition(2), timeout: .zero)))
    }

    @Test("stopping lets through what is queued, then ends")
    func stops() {
        let handoff = Handoff(last: .start, byteLimit: 10_000)
        _ = handoff.next(after: .start, timeout: .zero)
        handoff.offer([stored(1)])
        handoff.stop()
        #expect(positions(handoff.next(after: .start, timeout: nil)) == [1])
        guard case .stopped = handoff.next(after: JournalPosition(1), timeout: nil) else {
            Issue.record("expected stopped")
            return
        }
    }
}

@Suite struct ProgressTests {
    @Test("the journal is trimmed behind the slowest lane that has something waiting")
    func trimmable() {
        let progress = Progress(start: .start, lanes: 3)
        for position in Int64(1)...4 {
            let lane = position == 1 ? 0 : 1
            progress.willGive(JournalPosition(position), toLane: lane)
            progress.dispatched(through: JournalPosition(position))
        }
        #expect(progress.trimmable == .start)
        progress.committed(through: JournalPosition(1), byLane: 0)
        #expect(progress.trimmable == .start)
        progress.committed(through: JournalPosition(3), byLane: 1)
        #expect(progress.trimmable == JournalPosition(3))
        progress.committed(through: JournalPosition(4), byLane: 1)
        #expect(progress.trimmable == JournalPosition(4))
    }
}
