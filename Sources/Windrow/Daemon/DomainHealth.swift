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

    private let states: Mutex<[Key: State]>

    /// - Parameter expected: the components that must report before the domain is ready.
    init(expected: [(part: Part, component: String)]) {
        var states: [Key: State] = [:]
        for (part, component) in expected { states[Key(part: part, component: component)] = .failing("not tried yet") }
        self.states = Mutex(states)
    }

    func set(_ part: Part, _ component: String, _ state: State) {
        states.withLock { $0[Key(part: part, component: component)] = state }
    }

    /// The component is there no more.
    func remove(_ part: Part, _ component: String) {
        _ = states.withLock { $0.removeValue(forKey: Key(part: part, component: component)) }
    }

    /// What does not work, in a stable order; empty when the domain is ready.
    var failures: [(part: Part, component: String, message: String)] {
        states.withLock { states in
            states.compactMap { key, state in
                if case .failing(let message) = state { (key.part, key.component, message) } else { nil }
            }
        }.sorted { ($0.part.rawValue, $0.component) < ($1.part.rawValue, $1.component) }
    }
}
