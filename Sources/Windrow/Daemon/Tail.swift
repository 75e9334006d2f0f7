import Foundation
import Synchronization

/// What is accepted and rejected, as it happens, for those who watch (`windrow tail`). Nobody watching, it costs a look at a counter.
///
/// Bounded: a watcher who reads too slowly, and one who wants more than is worth the daemon's time, misses some and is told how many.
final class Tail: Sendable {
    /// One message, or one element of a request.
    struct Event: Codable, Sendable {
        enum Outcome: String, Codable, Sendable {
            case accepted, rejected
            /// A retained message without a time.
            case skipped
        }

        /// RFC 3339.
        var at: String
        var domain: String
        /// An element of a request stands as `nodes/ID/TAG`, a request that is refused as its method and path.
        var topic: String
        var outcome: Outcome
        var points = 0
        var reason: String?
        var detail: String?
        /// The beginning, as far as it prints.
        var payload: String?
        /// So many came before it that are not shown.
        var missed: Int?

        init(_ outcome: Outcome, at time: Timestamp = .now, domain: String, topic: String) {
            at = "\(time)"
            self.domain = domain
            self.topic = topic
            self.outcome = outcome
        }
    }

    /// What a watcher wants to see.
    struct Filter: Sendable {
        var domain: String?
        var topic: TopicFilter?
        var rejectedOnly = false

        func takes(_ outcome: Event.Outcome, of topic: String, in domain: String) -> Bool {
            (!rejectedOnly || outcome == .rejected) && (self.domain == nil || self.domain == domain)
                && self.topic?.matches(topic) ?? true
        }
    }

    fileprivate struct Watcher: Sendable {
        var filter: Filter
        var lines: AsyncStream<String>.Continuation
        var missed = 0
        /// Beats that found no room: nobody reads any more.
        var vainBeats = 0
    }

    private struct State: Sendable {
        var watchers: [Int: Watcher] = [:]
        var next = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let watcherCount = Atomic(0)

    private static let mostWatchers = 8
    /// Lines that wait for a watcher to read them.
    private static let bufferSize = 2000
    /// An empty line now and then finds out who has gone.
    private static let beat = Duration.seconds(2)
    private static let mostVainBeats = 15

    var isWatched: Bool { watcherCount.load(ordering: .relaxed) > 0 }

    /// Whether somebody wants to see such an event. Ask `isWatched` first.
    func wants(_ outcome: Event.Outcome, of topic: String, in domain: String) -> Bool {
        state.withLock { $0.watchers.values.contains { $0.filter.takes(outcome, of: topic, in: domain) } }
    }

    /// - Parameter missed: events of this moment that were left out.
    func tell(_ events: [Event], missed: Int = 0) {
        if events.isEmpty { return }
        state.withLock { state in
            for id in state.watchers.keys {
                state.watchers[id]?.missed += missed
                for event in events { state.watchers[id]?.tell(event) }
            }
        }
    }

    /// Events from now on, one JSON object a line, and empty lines in between; nil when too many watch already.
    func watch(_ filter: Filter) -> AsyncStream<String>? {
        let (stream, lines) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingOldest(Self.bufferSize))
        let id: Int? = state.withLock { state in
            guard state.watchers.count < Self.mostWatchers else { return nil }
            if state.isClosed {
                lines.finish()
            } else {
                state.watchers[state.next] = Watcher(filter: filter, lines: lines)
            }
            defer { state.next += 1 }
            return state.next
        }
        guard let id else { return nil }
        count()
        let beats = Task { [weak self] in
            while !Task.isCancelled, self?.beat(id) == true { try? await Task.sleep(for: Self.beat) }
        }
        lines.onTermination = { [weak self] _ in
            beats.cancel()
            self?.forget(id)
        }
        return stream
    }

    /// Ends all watching, now and later.
    func close() {
        let watchers = state.withLock { state in
            state.isClosed = true
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        count()
        for watcher in watchers { watcher.lines.finish() }
    }

    /// False when the watcher is not there any more.
    private func beat(_ id: Int) -> Bool {
        let isGone = state.withLock { state -> Bool? in
            guard var watcher = state.watchers[id] else { return nil }
            if case .dropped = watcher.lines.yield("\n") { watcher.vainBeats += 1 } else { watcher.vainBeats = 0 }
            state.watchers[id] = watcher
            return watcher.vainBeats >= Self.mostVainBeats
        }
        if isGone == true { forget(id) }
        return isGone == false
    }

    private func forget(_ id: Int) {
        let watcher = state.withLock { $0.watchers.removeValue(forKey: id) }
        count()
        watcher?.lines.finish()
    }

    private func count() {
        watcherCount.store(state.withLock { $0.watchers.count }, ordering: .relaxed)
    }
}

extension Tail.Watcher {
    fileprivate mutating func tell(_ event: Tail.Event) {
        guard filter.takes(event.outcome, of: event.topic, in: event.domain) else { return }
        var event = event
        if missed > 0 { event.missed = missed }
        guard let json = try? JSONEncoder().encode(event) else { return }
        if case .enqueued = lines.yield(String(decoding: json, as: UTF8.self) + "\n") {
            missed = 0
        } else {
            missed += 1
        }
    }
}
