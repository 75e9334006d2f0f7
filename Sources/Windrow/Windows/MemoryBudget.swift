import Synchronization

// `limits.memory` is for all domains. Half of it is dealt out, the same share to each, so that no domain waits for another's
// memory. The other half is lent: most domains are idle at most times, and the busy ones need more than a share. Nobody borrows
// more than it leaves, so that domains whose databases are away together never take all of it.

/// Memory that domains lend from, beyond what each has for itself.
final class SharedMemory: Sendable {
    private let state: Mutex<(limit: Int, lent: Int)>

    init(limit: Int) {
        state = Mutex((limit, 0))
    }

    var limit: Int { state.withLock { $0.limit } }
    var lent: Int { state.withLock { $0.lent } }

    /// What is lent already stays lent.
    func setLimit(_ bytes: Int) {
        state.withLock { $0.limit = bytes }
    }

    /// - Parameter borrowed: what the borrower has of it already.
    fileprivate func lend(_ bytes: Int, toOneWith borrowed: Int) -> Bool {
        state.withLock { state in
            guard borrowed + bytes <= state.limit - state.lent - bytes else { return false }
            state.lent += bytes
            return true
        }
    }

    fileprivate func takeBack(_ bytes: Int) {
        state.withLock { $0.lent -= bytes }
    }
}

/// Bounds the bytes that a domain's pending points take in memory. What does not fit stays in the journal, on disk.
final class MemoryBudget: Sendable {
    private struct State: Sendable {
        var limit: Int
        var used = 0
        /// The part of what is used that is lent.
        var borrowed = 0
        var isStopping = false
    }

    private let state: Monitor<State>
    private let shared: SharedMemory?

    /// - Parameters:
    ///   - limit: what may always be had.
    ///   - shared: where there may be more.
    init(limit: Int, borrowingFrom shared: SharedMemory? = nil) {
        state = Monitor(State(limit: limit))
        self.shared = shared
    }

    /// What is taken already stays taken.
    func setLimit(_ bytes: Int) {
        state.withLock { $0.limit = bytes }
    }

    /// Waits until `bytes` fit. A piece larger than the whole budget is let in when nothing else is there.
    /// - Parameter timeout: nil waits for ever. Only what this budget gives back ends the waiting.
    /// - Returns: false when stopped or out of time; nothing is taken then.
    func acquire(_ bytes: Int, timeout: Duration? = nil) -> Bool {
        state.wait(timeout: timeout) { state -> Bool? in
            if state.used == 0 || state.used - state.borrowed + bytes <= state.limit {
                state.used += bytes
                return true
            }
            if let shared, shared.lend(bytes, toOneWith: state.borrowed) {
                state.used += bytes
                state.borrowed += bytes
                return true
            }
            return state.isStopping ? false : nil
        } ?? false
    }

    func release(_ bytes: Int) {
        state.withLock { state in
            state.used -= bytes
            let returned = min(bytes, state.borrowed)
            state.borrowed -= returned
            if returned > 0 { shared?.takeBack(returned) }
        }
    }

    /// Ends the waiting.
    func stop() {
        state.withLock { $0.isStopping = true }
    }

    /// The most that can be had: all of what is its own and, while no other borrows, half of what is lent.
    var limit: Int { state.withLock { $0.limit } + (shared?.limit ?? 0) / 2 }
    var used: Int { state.withLock { $0.used } }
}

/// How `limits.memory` is dealt out.
struct MemoryShares {
    /// Bytes that each domain has for itself.
    let own: Int
    /// Bytes for whoever needs more.
    let shared: Int

    init(of bytes: Int, domains: Int) {
        shared = domains > 1 ? bytes / 2 : 0
        own = (bytes - shared) / max(domains, 1)
    }
}
