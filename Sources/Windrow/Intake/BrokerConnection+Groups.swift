import Glibc
import MQTT

// Shared subscriptions when the daemon stops. The broker goes on to assign messages to a session that is away (mosquitto does), and
// they wait for it though others could have them. So a daemon that stops takes back its shared subscriptions first, and accepts what
// is assigned to it already; unless it is the last one: then the broker must keep the messages for its next start.

extension BrokerConnection {
    /// For what others tell of themselves, by way of the database.
    private static let answerTime = Duration.seconds(2)
    /// For what the broker has assigned to this session already.
    private static let leaveTime = Duration.seconds(5)

    /// The groups that filters are shared subscriptions of.
    func groups(_ filters: some Sequence<String>) -> Set<String> {
        Set(filters.filter(SharedSession.isShared).map(group))
    }

    private func group(_ filter: String) -> String { Presence.group(filter, at: "\(orders.broker.address)") }

    /// Takes back the shared subscriptions that others have as well, and accepts what has been assigned to this session.
    func leaveGroups(_ client: Client, _ intake: MessageIntake) throws {
        let shared = intake.granted.filter(SharedSession.isShared)
        if shared.isEmpty { return }
        let left = presence.leave(groups(shared), session: name, within: Self.answerTime)
        let leaving = shared.filter { left.contains(group($0)) }
        let staying = shared.filter { !leaving.contains($0) }
        if !staying.isEmpty {
            log.notice(
                "stays subscribed while it is stopped: no other daemon at this database is; the broker keeps the messages",
                metadata: ["broker": "\(name)", "topics": "\(staying.joined(separator: " "))"])
        }
        if leaving.isEmpty { return }
        let deadline = ContinuousClock.now + Self.leaveTime
        var count = 0
        let rest = try unsubscribe(leaving, client, intake, &count) {
            ContinuousClock.now >= deadline || !journal.hasRoom
        }
        log.notice(
            rest
                ? "unsubscribed from what others serve; the broker keeps for this session what it had assigned to it already"
                : "unsubscribed from what others serve",
            metadata: ["broker": "\(name)", "topics": "\(leaving.joined(separator: " "))"])
    }

    /// The broker could not be told anything.
    func tellRemains() {
        log.warning(
            "stopped without a connection to the broker, which goes on to assign messages of shared subscriptions to this session until it is connected again or expires",
            metadata: [
                "broker": "\(name)",
                "topics": "\(orders.filters.filter(SharedSession.isShared).joined(separator: " "))",
            ])
    }

    /// Unsubscribes until nothing comes between the request and its answer: by then the broker has read all acknowledgements, and
    /// would have sent what they made room for.
    /// - Parameter count: is raised by the messages that come.
    /// - Returns: whether there may be more, when it was over first.
    func unsubscribe(
        _ filters: [String], _ client: Client, _ intake: MessageIntake, _ count: inout Int, unless isOver: () -> Bool
    ) throws -> Bool {
        while !isOver() {
            let request = try client.unsubscribe(filters)
            try client.write()
            let before = count
            while intake.lastUnsubscribed != request {
                if isOver() { return true }
                try turn(client, intake, &count)
            }
            if count == before { return false }
        }
        return true
    }

    /// Waits a moment for what comes, and settles it.
    func turn(_ client: Client, _ intake: MessageIntake, _ count: inout Int) throws {
        // Not the wake's wait, which ends at once when it is stopping.
        var entry = pollfd(
            fd: client.fileDescriptor ?? -1, events: Int16(POLLIN | (client.wantsWrite ? POLLOUT : 0)), revents: 0)
        poll(&entry, 1, 100)
        _ = try read(client, intake)
        count += intake.messageCount
        try settle(client, intake)
        if let failure = intake.failure { throw failure }
    }
}
