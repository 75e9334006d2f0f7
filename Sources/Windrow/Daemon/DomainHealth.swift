import Synchronization

/// What of a domain works just now, as `/readyz` tells it.
final class DomainHealth: Sendable {
    enum Part: String, CaseIterable, Sendable {
        case broker, postgres, journal
    }

    enum State: Equatable, Sendable {
        case working
        /// With what the operator should know.
        case failing(String)
    }

    private struct Key: Hashable {
        var part: Part
        var component: String
    }

    private struct Components {
        var states: [Key: State] = [:]
        var watches: [Part: Stopwatch] = [:]

        mutating func set(_ key: Key, _ state: State?) {
            states[key] = state
            let isWorking = states.allSatisfy { $0.key.part != key.part || $0.value == .working }
            watches[key.part, default: Stopwatch()].run(isWorking, at: .now)
        }
    }

    private let components = Mutex(Components())

    /// - Parameter expected: the components that must report before the domain is ready.
    init(expected: [(part: Part, component: String)]) {
        for (part, component) in expected { set(part, component, .failing("not tried yet")) }
    }

    func set(_ part: Part, _ component: String, _ state: State) {
        components.withLock { $0.set(Key(part: part, component: component), state) }
    }

    /// For how long all components of the part have worked since the start, all in all.
    func workingTime(of part: Part) -> Duration {
        components.withLock { $0.watches[part]?.elapsed(at: .now) ?? .zero }
    }

    /// The component is there no more.
    func remove(_ part: Part, _ component: String) {
        components.withLock { $0.set(Key(part: part, component: component), nil) }
    }

    /// What does not work, in a stable order; empty when the domain is ready.
    var failures: [(part: Part, component: String, message: String)] {
        components.withLock { components in
            components.states.compactMap { key, state in
                if case .failing(let message) = state { (key.part, key.component, message) } else { nil }
            }
        }.sorted { ($0.part.rawValue, $0.component) < ($1.part.rawValue, $1.component) }
    }
}

/// Adds up the time in which something is so.
private struct Stopwatch {
    private var total = Duration.zero
    private var runningSince: ContinuousClock.Instant?

    mutating func run(_ runs: Bool, at now: ContinuousClock.Instant) {
        if runs {
            runningSince = runningSince ?? now
        } else {
            total = elapsed(at: now)
            runningSince = nil
        }
    }

    func elapsed(at now: ContinuousClock.Instant) -> Duration {
        total + (runningSince.map { now - $0 } ?? .zero)
    }
}
