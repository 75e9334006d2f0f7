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
        Set(filters.filter(Self.isShared).map { Presence.group($0, at: orders.broker) })
    }

    private static func isShared(_ filter: String) -> Bool { filter.hasPrefix("$share/") }

    /// Takes back the shared subscriptions that others have as well, and accepts what has been assigned to this session.
    func leaveGroups(_ client: Client, _ intake: MessageIntake) throws {
        let shared = intake.granted.filter(Self.isShared)
        if shared.isEmpty { return }
        let left = presence.leave(groups(shared), session: name, within: Self.answerTime)
        let leaving = shared.filter { left.contains(Presence.group($0, at: orders.broker)) }
        let staying = shared.filter { !leaving.contains($0) }
        if !staying.isEmpty {
            log.notice(
                "stays subscribed while it is stopped: no other daemon at this database is; the broker keeps the messages",
                metadata: ["broker": "\(name)", "topics": "\(staying.joined(separator: " "))"])
        }
        if leaving.isEmpty { return }
        let rest = try unsubscribe(leaving, client, intake)
        log.notice(
            rest
                ? "unsubscribed from what others serve; the broker keeps for this session what it had assigned to it already"
                : "unsubscribed from what others serve",
            metadata: ["broker": "\(name)", "topics": "\(leaving.joined(separator: " "))"])
    }

    /// Unsubscribes until nothing comes between the request and its answer: by then the broker has read all acknowledgements, and
    /// would have sent what they made room for.
    /// - Returns: whether there may be more, for which there was no time or no room.
    private func unsubscribe(_ filters: [String], _ client: Client, _ intake: MessageIntake) throws -> Bool {
        let deadline = ContinuousClock.now + Self.leaveTime
        while ContinuousClock.now < deadline, journal.hasRoom {
            let request = try client.unsubscribe(filters)
            try client.write()
            var isQuiet = true
            while intake.lastUnsubscribed != request {
                guard ContinuousClock.now < deadline, journal.hasRoom else { return true }
                // Not the wake's wait, which ends at once from now on.
                var entry = pollfd(
                    fd: client.fileDescriptor ?? -1, events: Int16(POLLIN | (client.wantsWrite ? POLLOUT : 0)),
                    revents: 0)
                poll(&entry, 1, 100)
                _ = try read(client, intake)
                if intake.messageCount > 0 { isQuiet = false }
                try settle(client, intake)
                if let failure = intake.failure { throw failure }
            }
            if isQuiet { return false }
        }
        return true
    }
}
