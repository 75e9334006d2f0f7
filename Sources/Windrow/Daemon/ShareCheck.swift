import Glibc
import MQTT

/// Finds out whether a broker keeps a topic with one subscriber of a group, which is what keeps the order of a series when several
/// daemons share a subscription. MQTT leaves that to the broker.
///
/// Two clients of its own subscribe to a group of their own on topics of their own, which nobody else knows; one of them publishes.
struct ShareCheck {
    private let domain: Configuration.Domain
    private let broker: Configuration.Broker

    private static let topics = 8
    /// Each of them for itself would go to one of two subscribers by chance once in 128 times.
    private static let messagesPerTopic = 8
    private static let patience = Duration.seconds(10)

    init(domain: Configuration.Domain, broker: Configuration.Broker) {
        self.domain = domain
        self.broker = broker
    }

    /// nil when no subscription is shared.
    func run() -> Check.Finding? {
        let shared = broker.subscriptions.filter { $0.topic.isShared }
        if shared.isEmpty { return nil }
        let ordered = shared.filter { $0.overwrite != .insert }.map(\.topic.text)
        if ordered.isEmpty {
            return finding(.good, "shared subscriptions insert, for which the order between daemons does not matter")
        }
        let topics = ordered.joined(separator: " ")
        do throws(MQTTError) {
            switch try probe() {
            case .kept: return finding(.good, "keeps a topic with one subscriber of a group, as \(topics) needs it")
            case .scattered:
                return finding(
                    .warning,
                    "gives the messages of one topic to several subscribers of a group, so that daemons that share \(topics) may "
                        + "write its messages in another order than they were sent: have daemons take disjoint topics, insert "
                        + "only, or use a broker that keeps a topic with one subscriber (EMQX: shared_subscription_strategy "
                        + "hash_topic)")
            case .unknown(let why): return untold(topics, why)
            }
        } catch {
            return untold(topics, error.description)
        }
    }

    private func finding(_ verdict: Check.Finding.Verdict, _ message: String) -> Check.Finding {
        Check.Finding(verdict: verdict, subject: "\(domain.name) broker \(broker.address)", message: message)
    }

    private func untold(_ topics: String, _ why: String) -> Check.Finding {
        finding(
            .warning,
            "it could not be told whether a topic stays with one subscriber of a group, as \(topics) needs it: \(why)")
    }

    enum Outcome: Equatable {
        case kept, scattered
        case unknown(String)
    }

    /// - Parameter topics: by member of the group, of the messages that it got.
    static func judge(_ topics: [[[UInt8]]]) -> Outcome {
        let isKept = topics.allSatisfy { received in
            Dictionary(grouping: received) { $0 }.values.allSatisfy { $0.count == messagesPerTopic }
        }
        return isKept ? .kept : .scattered
    }

    /// Such as `windrow-check/1f0c9a7b`: of a depth that none of the domain's subscriptions has, or the daemon would take the messages.
    private var root: String {
        let depths = Set(domain.brokers.flatMap(\.subscriptions).map(\.topic.depth))
        var levels = ["windrow-check", String(UInt64.random(in: 0 ... .max), radix: 16)]
        // The number of the topic is the last one.
        while depths.contains(levels.count + 1) { levels.append("share") }
        return levels.joined(separator: "/")
    }

    private func probe() throws(MQTTError) -> Outcome {
        let root = root
        let filter = "$share/\(root.split(separator: "/")[1])/\(root)/+"
        let members = [try ShareProbe(broker, "1", filter), try ShareProbe(broker, "2", filter)]
        let deadline = ContinuousClock.now + Self.patience
        func turn(until isDone: () -> Bool) throws(MQTTError) -> Bool {
            while !isDone() {
                guard ContinuousClock.now < deadline else { return false }
                try ShareProbe.turn(members)
            }
            return true
        }
        guard try turn(until: { members.allSatisfy { $0.link.answer != nil } }) else {
            return .unknown("the broker does not answer the subscription within \(Self.patience)")
        }
        for case .refused(let reason) in members.compactMap(\.link.answer) {
            return .unknown("the broker refuses the subscription to \(filter): \(reason)")
        }
        let count = Self.topics * Self.messagesPerTopic
        for number in 0..<count {
            let topic = Array("\(root)/\(number / Self.messagesPerTopic)".utf8)
            // One after the other: who gets the next one may depend on who has most to do.
            let isQueued = try members[0].publish(UInt64(number), topic)
            let isThere = try turn(until: {
                members[0].link.refusal != nil
                    || members[0].link.published > number && members.reduce(0) { $0 + $1.link.received.count } > number
            })
            if let refusal = members[0].link.refusal {
                return .unknown("the broker refuses a message on \(root)/0: \(refusal)")
            }
            guard isQueued, isThere else {
                return .unknown("of \(number + 1) messages on \(root)/+, the last did not come within \(Self.patience)")
            }
        }
        return Self.judge(members.map(\.link.received))
    }
}

/// One of the two clients.
private final class ShareProbe {
    let link: Link
    private let client: Client

    /// What came to it.
    final class Link: ClientHandler {
        fileprivate unowned var client: Client!
        private let filter: String
        private(set) var answer: SubscriptionResult?
        /// The topics of the messages.
        private(set) var received: [[UInt8]] = []
        /// Messages that the broker has answered.
        private(set) var published = 0
        private(set) var refusal: ReasonCode?
        private(set) var failure: MQTTError?

        init(_ filter: String) { self.filter = filter }

        func connected(sessionPresent: Bool) {
            do throws(MQTTError) {
                try client.subscribe([filter], retained: .never)
            } catch {
                failure = error
            }
        }

        func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) { answer = results.first }
        func unsubscribed(_ messageID: MessageID) {}
        func received(_ message: borrowing Message) { received.append(message.withTopic { Array($0) }) }

        func published(_ token: UInt64, _ reason: ReasonCode) {
            published += 1
            if reason.isFailure { refusal = reason }
        }
    }

    init(_ broker: Configuration.Broker, _ name: String, _ filter: String) throws(MQTTError) {
        link = Link(filter)
        var options = Client.Options(broker)
        options.clientID += "-check-\(name)"
        options.sessionExpirySeconds = 0
        options.payloadLimit = 0
        client = try Client(options, handler: link)
        link.client = client
        try client.connect()
    }

    deinit { client.disconnect() }

    func publish(_ token: UInt64, _ topic: [UInt8]) throws(MQTTError) -> Bool {
        try client.publish(token, on: topic, [])
    }

    /// Waits a moment for any of them, and takes each further.
    static func turn(_ members: [ShareProbe]) throws(MQTTError) {
        for member in members { try member.client.write() }
        var entries = members.map { member in
            pollfd(
                fd: member.client.fileDescriptor ?? -1,
                events: Int16(POLLIN | (member.client.wantsWrite ? POLLOUT : 0)), revents: 0)
        }
        poll(&entries, nfds_t(entries.count), 50)
        for member in members {
            _ = try member.client.read(limit: 100)
            if let failure = member.link.failure { throw failure }
            try member.client.keepAlive()
            try member.client.write()
        }
    }
}
