import Logging
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct AcceptanceTests {
    /// Acceptance over a real journal, with nobody behind it.
    private struct Fixture {
        let folder: TemporaryFolder
        let journal: Journal
        let receipts = Receipts()
        let acceptance: Acceptance

        init(maxSize: Int) throws {
            folder = try TemporaryFolder()
            journal = try Journal(
                folder: folder.path, bounds: Journal.Bounds(maxSize: maxSize, maxDeadLetters: 1 << 18),
                log: Logger(label: "test"))
            acceptance = Acceptance(
                domain: "test", journal: journal, handoff: Handoff(last: .start, byteLimit: 1 << 20),
                nodes: NodeIdentities(), receipts: receipts, metrics: DomainMetrics())
        }

        /// Submits a request, whose sender waits.
        func submit(points: Int) -> Receipt {
            let receipt = receipts.open(timeout: .milliseconds(1))
            acceptance.submit(Acceptance.Submission(batch: AcceptanceTests.batch(points), receipt: receipt))
            return receipt
        }
    }

    private static func batch(_ points: Int) -> RecordBatch {
        var batch = RecordBatch()
        batch.beginRecord()
        batch.append(
            .update, to: SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t")),
            points: (0..<points).map { Point(timestamp: Timestamp(microseconds: Int64($0)), value: 1) })
        return batch
    }

    @Test("what waits is taken in pieces of a bounded size, in its order, and one that is larger by itself")
    func take() {
        var inbox = Acceptance.Inbox()
        // 16 bytes a point, and a little more for the series and the edit.
        inbox.waiting = [100, 100, 100, 1000, 1, 1].map { Acceptance.Submission(batch: Self.batch($0)) }
        var taken: [[Int]] = []
        while !inbox.waiting.isEmpty { taken.append(inbox.take(upTo: 3000).map(\.batch.points.count)) }
        #expect(taken == [[100, 100], [100, 1000], [1, 1]])
    }

    @Test("what waits together is accepted in its order")
    func pieces() async throws {
        let fixture = try Fixture(maxSize: 2 << 20)
        // 960 KiB together, in transactions of 128 KiB.
        let receipts = (0..<60).map { _ in fixture.submit(points: 1024) }
        let running = Task { await fixture.acceptance.run() }
        for receipt in receipts {
            guard case .accepted = await receipt.outcome else {
                Issue.record("not accepted")
                return
            }
        }
        #expect(receipts.map { $0.position?.number } == (1...60).map { $0 })
        fixture.acceptance.stop()
        await running.value
    }

    @Test("stopped, it accepts what waits already, and tells all that comes later")
    func stop() async throws {
        let fixture = try Fixture(maxSize: 2 << 20)
        let early = fixture.submit(points: 1)
        fixture.acceptance.stop()
        let late = fixture.submit(points: 1)
        guard case .notAccepted(let error) = await late.outcome, error.kind == .closing else {
            Issue.record("the late one was not told")
            return
        }
        await fixture.acceptance.run()
        guard case .accepted = await early.outcome else {
            Issue.record("the early one was not accepted")
            return
        }
    }

    @Test("a record for which there is no room is refused, and the journal holds nothing of it")
    func full() async throws {
        let fixture = try Fixture(maxSize: 1 << 20)
        let receipt = fixture.submit(points: 100_000)
        let running = Task { await fixture.acceptance.run() }
        guard case .notAccepted(let error) = await receipt.outcome, error.kind == .full else {
            Issue.record("it was accepted")
            return
        }
        #expect(try fixture.journal.batchCount(after: .start) == 0)
        fixture.acceptance.stop()
        await running.value
    }
}
