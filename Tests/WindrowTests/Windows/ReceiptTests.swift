import Testing

@testable import Windrow

@Suite struct ReceiptTests {
    private let refusal = Rejection(.refusedByDatabase, "no")

    /// What the sender is told, as a word; nil when nothing yet.
    private func told(_ events: (Receipt) -> Void) async -> String? {
        let receipt = Receipt()
        events(receipt)
        guard receipt.isDone else { return nil }
        return switch await receipt.outcome {
        case .stored: "stored"
        case .accepted: "accepted"
        case .refused: "refused"
        case .notAccepted: "not accepted"
        }
    }

    @Test("stored is told when every lane has written its part")
    func lanes() async {
        #expect(
            await told {
                $0.accepted(at: JournalPosition(1))
                $0.given(toLanes: 2)
                $0.written(refusal: nil)
            } == nil)
        #expect(
            await told {
                $0.accepted(at: JournalPosition(1))
                $0.given(toLanes: 2)
                $0.written(refusal: nil)
                $0.written(refusal: nil)
            } == "stored")
        #expect(
            await told {
                $0.accepted(at: JournalPosition(1))
                $0.given(toLanes: 2)
                $0.written(refusal: refusal)
                $0.written(refusal: nil)
            } == "refused")
        #expect(await told { $0.given(toLanes: 0) } == "stored")
    }

    @Test("out of time, it is told that the record is safe, and not before it is")
    func time() async {
        #expect(await told { $0.timeOut() } == nil)
        #expect(
            await told {
                $0.timeOut()
                $0.accepted(at: JournalPosition(1))
            } == "accepted")
        #expect(
            await told {
                $0.accepted(at: JournalPosition(1))
                $0.timeOut()
            } == "accepted")
        #expect(
            await told {
                $0.timeOut()
                $0.notAccepted(.noRoom)
            } == "not accepted")
    }

    @Test("who is about to be refused does not run out of time, and who has run out of it is not claimed")
    func claims() async {
        let claimed = await told { receipt in
            receipt.accepted(at: JournalPosition(1))
            guard receipt.claim() else { return }
            receipt.timeOut()
            receipt.refused(refusal)
            receipt.given(toLanes: 0)
        }
        #expect(claimed == "refused")
        let late = await told { receipt in
            receipt.accepted(at: JournalPosition(1))
            receipt.timeOut()
            if receipt.claim() { Issue.record("it was told already") }
        }
        #expect(late == "accepted")
    }

    @Test("receipts run out in their time, and those that are dispatched are found by position once")
    func registry() async {
        let receipts = Receipts()
        let early = receipts.open(timeout: .milliseconds(20))
        receipts.register(early, at: JournalPosition(1))
        let dispatched = receipts.open(timeout: .milliseconds(20))
        receipts.register(dispatched, at: JournalPosition(2))
        #expect(receipts.take(at: JournalPosition(2)) === dispatched)
        #expect(receipts.take(at: JournalPosition(2)) == nil)
        dispatched.given(toLanes: 1)
        guard case .accepted = await early.outcome else {
            Issue.record("not timed out")
            return
        }
        // Nothing is kept for a sender that has been told.
        #expect(receipts.take(at: JournalPosition(1)) == nil)
    }

    @Test("stopped, nobody waits for PostgreSQL, and later ones do not either")
    func stop() async {
        let receipts = Receipts()
        let waiting = receipts.open(timeout: .seconds(3600))
        receipts.register(waiting, at: JournalPosition(1))
        receipts.stop()
        #expect(waiting.isDone)
        let late = receipts.open(timeout: .seconds(3600))
        receipts.register(late, at: JournalPosition(2))
        #expect(late.isDone)
        #expect(receipts.take(at: JournalPosition(2)) == nil)
    }
}
