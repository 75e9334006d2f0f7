// Daemons that share a broker and a database have to know of each other: whether a client id is in use, and whether anybody else is in
// a group of shared subscriptions. Each says so by advisory locks of its catalog connection, which PostgreSQL drops with the connection:
// one that dies leaves nothing behind. A domain that is in groups keeps that connection; another one is known while it is at work. The
// broker connections say here what is to be said; the dispatcher, who has the database, says it.

/// What other daemons are to know of a domain's sessions, and what is known of theirs.
final class Presence: Sendable {
    /// What is to be said just now.
    struct Orders: Sendable {
        /// Grows with each change.
        var version: Int
        /// All of them, connected or not: the broker keeps them. With what others may take over of one.
        var sessions: [String: SharedSession?]
        /// By session: of shared subscriptions that the broker has granted.
        var groups: [String: Set<String>]
        var leaving: [Leaving]
        /// What was taken over since the last time.
        var adopted: [SharedSession]
    }

    /// A session that would leave groups.
    struct Leaving: Sendable {
        var number: Int
        var session: String
        var groups: Set<String>
    }

    private struct State: Sendable {
        var version = 1
        var sessions: [String: SharedSession?] = [:]
        /// By session.
        var groups: [String: Set<String>] = [:]
        var leaving: [Leaving] = []
        var adopted: [SharedSession] = []
        var answers: [Int: Set<String>] = [:]
        var lastNumber = 0
        /// Who else uses a session.
        var rivals: [String: PresenceHolder] = [:]
    }

    private let state = Monitor(State())
    private let handoff: Handoff
    /// Sessions whose daemon is gone and that this one has claimed, until `endAdoptions`.
    let orphans: AsyncStream<SharedSession>
    private let orphan: AsyncStream<SharedSession>.Continuation

    /// - Parameter handoff: what the dispatcher waits at.
    init(handoff: Handoff) {
        self.handoff = handoff
        (orphans, orphan) = AsyncStream.makeStream()
    }

    /// What a group of shared subscriptions is called.
    static func group(_ filter: String, at broker: String) -> String { "\(broker) \(filter)" }

    // MARK: For the broker connections

    /// These sessions the configuration has, and no others.
    func have(sessions: [String: SharedSession?]) {
        change(isUrgent: false) { $0.sessions = sessions }
    }

    /// The broker has a session in these groups, and no others.
    func joined(_ groups: Set<String>, session: String) {
        let isNew = state.withLock { $0.groups[session] ?? [] != groups }
        if isNew { change { $0.groups[session] = groups } }
    }

    /// Takes a session out of the groups in which there is somebody else to get the messages. Blocks.
    /// - Returns: those; none if that cannot be found out in time.
    func leave(_ groups: Set<String>, session: String, within patience: Duration) -> Set<String> {
        if groups.isEmpty { return [] }
        var served: Set<String> = []
        var number = 0
        change { state in
            // By another session of this daemon: nobody has to be asked.
            served = groups.filter { group in
                state.groups.contains { $0.key != session && $0.value.contains(group) }
            }
            state.groups[session]?.subtract(served)
            if served == groups { return }
            state.lastNumber += 1
            number = state.lastNumber
            state.leaving.append(
                Leaving(number: number, session: session, groups: groups.subtracting(served)))
        }
        if served == groups { return served }
        let answer = state.wait(timeout: patience) { [number] state in state.answers.removeValue(forKey: number) }
        let left =
            answer
            ?? state.withLock { [number] state in
                state.leaving.removeAll { $0.number == number }
                return state.answers.removeValue(forKey: number) ?? []
            }
        return left.union(served)
    }

    /// Nothing waits at the broker any more for a session of `orphans`.
    func adopted(_ session: SharedSession) {
        change { $0.adopted.append(session) }
    }

    /// Ends `orphans`.
    func endAdoptions() {
        orphan.finish()
    }

    /// Who else uses a session, as far as the database tells.
    func rival(of session: String) -> PresenceHolder? { state.withLock { $0.rivals[session] } }

    /// - Parameter isUrgent: whether an idle dispatcher is to see to it at once, and not when it is next at the database.
    private func change(isUrgent: Bool = true, _ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            state.version += 1
        }
        if isUrgent { handoff.look() }
    }

    // MARK: For the dispatcher

    func isChanged(since known: Int) -> Bool { state.withLock { $0.version } != known }

    var orders: Orders {
        state.withLock { state in
            Orders(
                version: state.version, sessions: state.sessions, groups: state.groups, leaving: state.leaving,
                adopted: state.adopted)
        }
    }

    /// Whether others go by what is said at any time: some session is in a group, or will be when its broker is back.
    var mayBeInGroups: Bool {
        state.withLock { state in
            state.groups.contains { !$0.value.isEmpty } || state.sessions.contains { $0.value != nil }
        }
    }

    /// The session is out of these groups, and stays in the others that it asked for.
    func left(_ groups: Set<String>, _ leaving: Leaving) {
        state.withLock { state in
            guard state.leaving.contains(where: { $0.number == leaving.number }) else { return }
            state.leaving.removeAll { $0.number == leaving.number }
            state.groups[leaving.session]?.subtract(groups)
            state.answers[leaving.number] = groups
        }
    }

    func claimed(_ session: SharedSession) {
        orphan.yield(session)
    }

    /// That they were taken over is written down.
    func settled(adopted sessions: [SharedSession]) {
        state.withLock { $0.adopted.removeAll(where: sessions.contains) }
    }

    func found(rivals: [String: PresenceHolder]) {
        state.withLock { $0.rivals = rivals }
    }
}
