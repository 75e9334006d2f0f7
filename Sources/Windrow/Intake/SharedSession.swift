/// A session at a broker that has shared subscriptions and no others: what the broker keeps for it, any other daemon of the same groups
/// can take as well.
struct SharedSession: Hashable, Sendable {
    /// The broker's address, as configurations have it.
    var broker: String
    var clientID: String
    /// `$share/GROUP/…`
    var filters: Set<String>

    /// As the broker connection is called that has it.
    var name: String { "\(broker) as \(clientID)" }

    /// The groups that it is in, see `Presence.group`.
    var groups: Set<String> { Set(filters.map { Presence.group($0, at: broker) }) }

    init(broker: String, clientID: String, filters: Set<String>) {
        self.broker = broker
        self.clientID = clientID
        self.filters = filters
    }

    /// nil when there are other subscriptions, too: nobody else may understand their messages.
    init?(_ broker: Configuration.Broker) {
        let filters = broker.subscriptions.map(\.topic.filter)
        guard !filters.isEmpty, filters.allSatisfy(Self.isShared) else { return nil }
        self.init(broker: "\(broker.address)", clientID: broker.clientID, filters: Set(filters))
    }

    static func isShared(_ filter: String) -> Bool { filter.hasPrefix("$share/") }
}
