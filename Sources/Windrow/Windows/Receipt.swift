import Synchronization

// What a sender that waits for PostgreSQL, and not only for the journal, is told. A receipt goes with its record from acceptance to
// the lanes, and each stage notes on it what it has done. It is no part of the promise: a receipt that is lost with the process
// costs an answer, never a record.

/// Tells one waiting sender what became of its record.
final class Receipt: Sendable {
    enum Outcome: Sendable {
        /// Committed to PostgreSQL.
        case stored
        /// In the journal, and not in PostgreSQL in time: it is safe and will be written.
        case accepted
        /// Refused after it had come into the journal: whole by the dispatcher, or some of its points by PostgreSQL.
        case refused(Rejection)
        /// Not in the journal.
        case notAccepted(JournalError)
    }

    private struct State: Sendable {
        /// nil until the record is in the journal.
        var position: JournalPosition?
        /// Lanes that have yet to write their part.
        var lanesLeft = 0
        var refusal: Rejection?
        var isOutOfTime = false
        /// A stage is about to refuse the record: time no longer runs out.
        var isClaimed = false
        var outcome: Outcome?
        var waiter: CheckedContinuation<Outcome, Never>?
    }

    private let state = Mutex(State())

    /// Waits until the sender can be told. For one caller.
    var outcome: Outcome {
        get async {
            await withCheckedContinuation { waiter in
                let outcome = state.withLock { state in
                    if state.outcome == nil { state.waiter = waiter }
                    return state.outcome
                }
                if let outcome { waiter.resume(returning: outcome) }
            }
        }
    }

    var isDone: Bool { state.withLock { $0.outcome != nil } }

    /// Where the record is in the journal, once it is.
    var position: JournalPosition? { state.withLock { $0.position } }

    // MARK: What the stages tell

    func accepted(at position: JournalPosition) {
        finish { state in
            state.position = position
            return state.isOutOfTime ? .accepted : nil
        }
    }

    func notAccepted(_ error: JournalError) {
        finish { _ in .notAccepted(error) }
    }

    /// Comes before any lane is given its part.
    func given(toLanes count: Int) {
        finish { state in
            state.lanesLeft = count
            return count == 0 ? .stored : nil
        }
    }

    /// A lane has committed its part.
    /// - Parameter refusal: why PostgreSQL refused some of it, if it did.
    func written(refusal: Rejection?) {
        finish { state in
            state.lanesLeft -= 1
            state.refusal = state.refusal ?? refusal
            guard state.lanesLeft == 0 else { return nil }
            return state.refusal.map(Outcome.refused) ?? .stored
        }
    }

    /// Whether the sender still waits, and then will until `refused`.
    func claim() -> Bool {
        state.withLock { state in
            if state.outcome == nil { state.isClaimed = true }
            return state.isClaimed
        }
    }

    func refused(_ rejection: Rejection) {
        finish { _ in .refused(rejection) }
    }

    /// The sender waits for PostgreSQL no longer, only for the journal.
    func timeOut() {
        finish { state in
            if state.isClaimed { return nil }
            state.isOutOfTime = true
            return state.position == nil ? nil : .accepted
        }
    }

    /// Changes the state, and tells the sender if there is an outcome; the first one stays.
    private func finish(_ change: (inout State) -> Outcome?) {
        let told = state.withLock { state -> (CheckedContinuation<Outcome, Never>, Outcome)? in
            guard state.outcome == nil, let outcome = change(&state) else { return nil }
            state.outcome = outcome
            defer { state.waiter = nil }
            return state.waiter.map { ($0, outcome) }
        }
        if let (waiter, outcome) = told { waiter.resume(returning: outcome) }
    }
}
