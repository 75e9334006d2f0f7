/// Bounds the bytes that a domain's pending points take in memory. What does not fit stays in the journal, on disk.
final class MemoryBudget: Sendable {
    private struct State: Sendable {
        var used = 0
        var isStopping = false
    }

    let limit: Int
    private let state = Monitor(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// Waits until `bytes` fit. A piece larger than the whole budget is let in when nothing else is there.
    /// - Returns: false when stopped first; nothing is taken then.
    func acquire(_ bytes: Int) -> Bool {
        state.wait { [limit] state -> Bool? in
            if state.isStopping { return false }
            guard state.used == 0 || state.used + bytes <= limit else { return nil }
            state.used += bytes
            return true
        } ?? false
    }

    func release(_ bytes: Int) {
        state.withLock { $0.used -= bytes }
    }

    /// Ends the waiting.
    func stop() {
        state.withLock { $0.isStopping = true }
    }

    var used: Int { state.withLock { $0.used } }
}
