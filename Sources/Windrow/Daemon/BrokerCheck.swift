import Glibc
import MQTT

/// Connects and subscribes as the daemon would, in a session of its own that ends with the check: the daemon's session, which may
/// be in use, is left alone.
final class BrokerCheck: ClientHandler {
    private let domain: String
    private let broker: Configuration.Broker
    private unowned var client: Client!
    private var results: [SubscriptionResult]?
    private var failure: MQTTError?

    private static let patience = Duration.seconds(10)

    init(domain: String, broker: Configuration.Broker) {
        self.domain = domain
        self.broker = broker
    }

    func run() -> Check.Finding {
        let subject = "\(domain) broker \(broker.address)"
        do throws(MQTTError) {
            guard let results = try subscribe() else {
                return Check.Finding(
                    verdict: .unreachable, subject: subject,
                    message: "does not answer the subscription within \(Self.patience)")
            }
            let refused = zip(broker.subscriptions, results).compactMap { subscription, result in
                if case .refused(let reason) = result { "\(subscription.topic.filter) (\(reason))" } else { nil }
            }
            if refused.isEmpty {
                return Check.Finding(
                    verdict: .good, subject: subject,
                    message:
                        "connected, subscribed to \(broker.subscriptions.map(\.topic.filter).joined(separator: " "))")
            }
            return Check.Finding(
                verdict: .wrong, subject: subject,
                message:
                    "refuses the subscription to \(refused.joined(separator: ", ")); allow it in the broker's access list"
            )
        } catch {
            let isSetUp = error.code == .refused || error.code == .tls || error.code == .invalid
            return Check.Finding(verdict: isSetUp ? .wrong : .unreachable, subject: subject, message: error.description)
        }
    }

    /// nil when no answer comes in time.
    private func subscribe() throws(MQTTError) -> [SubscriptionResult]? {
        var options = Client.Options(broker)
        options.clientID += "-check"
        options.sessionExpirySeconds = 0
        // What it is sent, it does not acknowledge.
        options.receiveMaximum = 1
        options.payloadLimit = 0
        let client = try Client(options, handler: self)
        self.client = client
        defer { client.abandon() }
        try client.connect()
        let deadline = ContinuousClock.now + Self.patience
        while results == nil, ContinuousClock.now < deadline {
            var entry = pollfd(
                fd: client.fileDescriptor ?? -1, events: Int16(POLLIN | (client.wantsWrite ? POLLOUT : 0)), revents: 0)
            poll(&entry, 1, 200)
            _ = try client.read(limit: 1)
            if let failure { throw failure }
            try client.keepAlive()
            // Before the answer is there nothing has come that could be acknowledged.
            if results == nil { try client.write() }
        }
        return results
    }

    func connected(sessionPresent: Bool) {
        do throws(MQTTError) {
            try client.subscribe(broker.subscriptions.map { Self.withOwnGroup($0.topic.filter) }, retained: .never)
        } catch {
            failure = error
        }
    }

    func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {
        self.results = results
    }

    func unsubscribed(_ messageID: MessageID) {}
    func received(_ message: borrowing Message) {}

    /// In the group of a shared subscription a check would take the daemon's messages.
    private static func withOwnGroup(_ filter: String) -> String {
        guard filter.hasPrefix("$share/") else { return filter }
        let levels = filter.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        return "\(levels[0])/\(levels[1])-check/\(levels[2])"
    }
}
