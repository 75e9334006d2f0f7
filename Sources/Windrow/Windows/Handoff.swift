// The way from the journal to the windows. While the windows keep up, batches come straight from memory; when they do not, the
// batches are left in the journal, on disk, and read back in order when there is room.

/// Hands accepted batches on, in the order of the journal.
final class Handoff: Sendable {
    private struct State: Sendable {
        /// Consecutive batches that follow the last one taken. Empty unless `isLive`.
        var queue: [Journal.StoredBatch] = []
        var queuedBytes = 0
        /// Bytes of batches that wait in memory; past it they are read back from the journal.
        var byteLimit: Int
        /// The last position in the journal.
        var last: JournalPosition
        /// The queue ends at `last`: the next batch may be queued.
        var isLive = false
        /// Of batches that are in the journal only.
        var times = ReceptionTimes()
        /// Whoever takes the batches is to see whether it still can.
        var isLookDue = false
        var isStopping = false
        var isRewindWanted = false
    }

    enum Next: Sendable {
        case batches([Journal.StoredBatch])
        /// There is more, but only in the journal.
        case readJournal
        /// There is no more, and `look()` was called.
        case look
        /// Somebody has found that the database is behind what it had committed.
        case rewind
        /// Nothing came within the timeout.
        case nothing
        /// Stopped, and nothing is queued; the journal may hold more.
        case stopped
    }

    private let state: Monitor<State>

    init(last: JournalPosition, byteLimit: Int) {
        state = Monitor(State(byteLimit: byteLimit, last: last))
    }

    /// What is queued already stays queued.
    func setLimit(_ bytes: Int) {
        state.withLock { $0.byteLimit = bytes }
    }

    /// What acceptance has just appended to the journal.
    func offer(_ batches: [Journal.StoredBatch]) {
        guard let last = batches.last else { return }
        state.withLock { state in
            let bytes = batches.reduce(0) { $0 + $1.batch.byteCount }
            if state.isLive, state.queuedBytes + bytes <= state.byteLimit {
                state.queue += batches
                state.queuedBytes += bytes
            } else {
                state.isLive = false
                for stored in batches {
                    if let time = stored.receivedAt { state.times.note(time, at: stored.position) }
                }
            }
            state.last = last.position
        }
    }

    /// Waits for what follows `position`, which is the last one that was taken.
    func next(after position: JournalPosition, timeout: Duration?) -> Next {
        state.wait(timeout: timeout) { state -> Next? in
            if state.isRewindWanted { return .rewind }
            if !state.queue.isEmpty {
                defer {
                    state.queue = []
                    state.queuedBytes = 0
                }
                return .batches(state.queue)
            }
            if state.isStopping { return .stopped }
            if position < state.last { return .readJournal }
            if !state.isLive { state.times.removeAll() }
            state.isLive = true
            if state.isLookDue {
                state.isLookDue = false
                return .look
            }
            return nil
        } ?? .nothing
    }

    /// Suspends the task until `next` may have something else to say than `nothing`.
    func change(after position: JournalPosition) async {
        await state.change {
            !$0.queue.isEmpty || position < $0.last || $0.isLookDue || $0.isRewindWanted || $0.isStopping
        }
    }

    /// Has whoever takes the batches see whether it still can, when nothing else is to be done.
    func look() {
        state.withLock { $0.isLookDue = true }
    }

    // MARK: Rewinding

    /// What was taken has to be read again: the database has lost some of it. Any thread.
    func wantRewind() {
        state.withLock { $0.isRewindWanted = true }
    }

    var isRewindWanted: Bool { state.withLock { $0.isRewindWanted } }

    /// What follows is read back from the journal.
    func beginRewind() {
        state.withLock { state in
            state.isRewindWanted = false
            state.isLive = false
            for stored in state.queue {
                if let time = stored.receivedAt { state.times.note(time, at: stored.position) }
            }
            state.queue = []
            state.queuedBytes = 0
        }
    }

    /// The last position in the journal.
    var last: JournalPosition { state.withLock { $0.last } }

    /// When a batch was received that was read back from the journal; nil when an earlier run has accepted it, or
    /// when it was read back before.
    func receivedAt(_ position: JournalPosition) -> ContinuousClock.Instant? {
        state.withLock { $0.times.take(at: position) }
    }

    func stop() {
        state.withLock { $0.isStopping = true }
    }
}
