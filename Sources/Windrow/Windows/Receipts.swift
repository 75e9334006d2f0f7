import DequeModule
import Synchronization

/// The receipts of a domain that are not done yet: found by position when the dispatcher meets their record, and by age when
/// their senders have waited long enough.
final class Receipts: Sendable {
    private struct State: Sendable {
        /// Accepted, and not yet met by the dispatcher.
        var undispatched: [JournalPosition: Receipt] = [:]
        /// In the order in which their time runs out. Those done are dropped when they come to the front, or when they are many.
        var waiting: Deque<(deadline: ContinuousClock.Instant, receipt: Receipt)> = []
        var sweepAt = 1024
        var isWatched = false
        var isStopping = false
    }

    private let state = Mutex(State())

    /// A receipt whose time begins now.
    /// - Parameter timeout: how long its sender waits for PostgreSQL. One that is shorter than those before it may last as long as they.
    func open(timeout: Duration) -> Receipt {
        let receipt = Receipt()
        let (mustWatch, isStopping) = state.withLock { state in
            while let first = state.waiting.first, first.receipt.isDone { state.waiting.removeFirst() }
            if state.waiting.count >= state.sweepAt {
                state.waiting.removeAll { $0.receipt.isDone }
                state.sweepAt = max(1024, 2 * state.waiting.count)
            }
            state.waiting.append((.now + timeout, receipt))
            defer { state.isWatched = true }
            return (!state.isWatched, state.isStopping)
        }
        if isStopping { receipt.timeOut() }
        if mustWatch { Task { await watch() } }
        return receipt
    }

    /// Comes before the dispatcher can meet the record.
    func register(_ receipt: Receipt, at position: JournalPosition) {
        state.withLock { $0.undispatched[position] = receipt }
        receipt.accepted(at: position)
        // Out of time already.
        if receipt.isDone { _ = take(at: position) }
    }

    /// The receipt of the record at a position, if a sender waits for it.
    func take(at position: JournalPosition) -> Receipt? {
        state.withLock { $0.undispatched.isEmpty ? nil : $0.undispatched.removeValue(forKey: position) }
    }

    /// The record is going to be dispatched once more.
    func putBack(_ receipt: Receipt, at position: JournalPosition) {
        if receipt.isDone { return }
        state.withLock { $0.undispatched[position] = receipt }
        // Out of time meanwhile.
        if receipt.isDone { _ = take(at: position) }
    }

    /// Lets no sender wait for PostgreSQL any longer.
    func stop() {
        let waiting = state.withLock { state in
            state.isStopping = true
            return Array(state.waiting)
        }
        for (_, receipt) in waiting { timeOut(receipt) }
    }

    /// Times receipts out until none waits.
    private func watch() async {
        while let deadline = nextDeadline() {
            // Not cancelled by anybody.
            try? await Task.sleep(until: deadline)
            let due = state.withLock { state in
                var due: [Receipt] = []
                while let first = state.waiting.first, first.receipt.isDone || first.deadline <= .now {
                    due.append(first.receipt)
                    state.waiting.removeFirst()
                }
                return due
            }
            for receipt in due { timeOut(receipt) }
        }
    }

    private func nextDeadline() -> ContinuousClock.Instant? {
        state.withLock { state in
            if state.waiting.isEmpty { state.isWatched = false }
            return state.waiting.first?.deadline
        }
    }

    private func timeOut(_ receipt: Receipt) {
        receipt.timeOut()
        if receipt.isDone, let position = receipt.position { _ = take(at: position) }
    }
}
