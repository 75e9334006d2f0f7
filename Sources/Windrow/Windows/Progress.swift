import Synchronization

/// How far each lane has come, and so how far the journal may be trimmed.
final class Progress: Sendable {
    private struct State {
        /// All batches up to here have been given to the lanes.
        var dispatched: JournalPosition
        /// For each lane, the last batch it was given and the last one it has committed.
        var lanes: [(given: JournalPosition, committed: JournalPosition)]
    }

    private let state: Mutex<State>

    init(start: JournalPosition, lanes: Int) {
        state = Mutex(State(dispatched: start, lanes: Array(repeating: (start, start), count: lanes)))
    }

    /// All begin anew where the database says that the lanes stand.
    func begin(at positions: [JournalPosition]) {
        state.withLock { state in
            state.dispatched = positions.min() ?? .start
            state.lanes = positions.map { ($0, $0) }
        }
    }

    /// For each lane, the last batch that it has committed.
    var committed: [JournalPosition] { state.withLock { $0.lanes.map(\.committed) } }

    /// The last batch that a lane has committed, or had at the start.
    func committed(byLane lane: Int) -> JournalPosition { state.withLock { $0.lanes[lane].committed } }

    /// Comes before the batch is put into the lane's mailbox.
    func willGive(_ position: JournalPosition, toLane lane: Int) {
        state.withLock { $0.lanes[lane].given = position }
    }

    /// Every lane that has edits in the batch was given it.
    func dispatched(through position: JournalPosition) {
        state.withLock { $0.dispatched = position }
    }

    /// What the lane was given up to `position` is in PostgreSQL.
    func committed(through position: JournalPosition, byLane lane: Int) {
        state.withLock { $0.lanes[lane].committed = position }
    }

    /// All that the journal holds up to here is in PostgreSQL. A lane that has nothing waiting holds nothing back.
    var trimmable: JournalPosition {
        state.withLock { state in
            state.lanes.reduce(state.dispatched) { least, lane in
                lane.committed < lane.given ? min(least, lane.committed) : least
            }
        }
    }
}
