/// Bounds the bytes that a domain's pending points take in memory. What does not fit stays in the journal, on disk.
final class MemoryBudget: Sendable {
    private struct State: Sendable {
        var limit: Int
        var used = 0
        var isStopping = false
    }

    private let state: Monitor<State>

    init(limit: Int) {
        state = Monitor(State(limit: limit))
    }

    /// What is taken already stays taken.
    func setLimit(_ bytes: Int) {
        state.withLock { $0.limit = bytes }
    }

    /// Waits until `bytes` fit. A piece larger than the whole budget is let in when nothing else is there.
    /// - Parameter timeout: nil waits for ever.
    /// - Returns: false when stopped or out of time; nothing is taken then.
    func acquire(_ bytes: Int, timeout: Duration? = nil) -> Bool {
        state.wait(timeout: timeout) { state -> Bool? in
            if state.used == 0 || state.used + bytes <= state.limit {
                state.used += bytes
                return true
            }
            return state.isStopping ? false : nil
        } ?? false
    }

    func release(_ bytes: Int) {
        state.withLock { $0.used -= bytes }
    }

    /// Ends the waiting.
    func stop() {
        state.withLock { $0.isStopping = true }
    }

    var limit: Int { state.withLock { $0.limit } }
    var used: Int { state.withLock { $0.used } }
}
