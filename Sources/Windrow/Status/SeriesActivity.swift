import Synchronization

/// The series that a lane has written since the start, with their pace. Fed once a flush, and read while the lane goes on: the lock
/// is never held for longer than a reader needs for a few thousand of them.
final class SeriesActivity: Sendable {
    private struct State {
        var places: [SeriesID: Int32] = [:]
        /// All full but the last, so that growing moves nothing.
        var chunks: [[SeriesPace]] = []

        mutating func add(_ pace: SeriesPace) {
            if chunks.last?.count ?? SeriesActivity.chunkSize == SeriesActivity.chunkSize { chunks.append([]) }
            let chunk = chunks.count - 1
            places[pace.id] = Int32(chunk * SeriesActivity.chunkSize + chunks[chunk].count)
            chunks[chunk].append(pace)
        }
    }

    private static let chunkSize = 4096

    private let settings: Live<Configuration.Domain>
    private let health: DomainHealth
    private let state = Mutex(State())

    init(_ settings: Live<Configuration.Domain>, health: DomainHealth) {
        self.settings = settings
        self.health = health
    }

    /// The time that has counted until now.
    var tick: SeriesPace.Tick { SeriesPace.Tick(health.workingTime(of: .postgres)) }

    /// Seconds that silence takes at least.
    var silentAfter: Float { Float(settings.current.silentAfter / .seconds(1)) }

    /// The windows are committed.
    func stored(_ windows: [(id: SeriesID, window: PendingWindow)]) {
        let (tick, now) = (tick, Timestamp.now)
        let silentAfter = silentAfter
        state.withLock { state in
            for (id, window) in windows {
                let points = window.points
                guard let last = points.last else { continue }
                let point = Point(timestamp: last.timestamp, value: last.value)
                if let place = state.places[id] {
                    state.chunks[Int(place) / Self.chunkSize][Int(place) % Self.chunkSize]
                        .heard(point, count: points.count, at: tick, now: now, silentAfter: silentAfter)
                } else {
                    state.add(SeriesPace(id, newest: point, at: tick))
                }
            }
        }
    }

    /// Shows all series, a piece at a time; between two pieces the lane may write.
    func forEachPiece(_ body: (borrowing [SeriesPace]) -> Void) {
        var place = 0
        var isDone = false
        while !isDone {
            state.withLock { state in
                isDone = place >= state.chunks.count
                if !isDone { body(state.chunks[place]) }
            }
            place += 1
        }
    }

    subscript(id: SeriesID) -> SeriesPace? {
        state.withLock { state in
            state.places[id].map { state.chunks[Int($0) / Self.chunkSize][Int($0) % Self.chunkSize] }
        }
    }
}
