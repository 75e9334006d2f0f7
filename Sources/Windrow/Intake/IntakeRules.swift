/// A domain's rules for messages, from its configuration.
struct IntakeRules: Sendable {
    /// Tells the streams of a domain apart: a topic of a session keeps its number over every reload, and no other gets it.
    struct StreamNumbers {
        private struct Key: Hashable {
            var session: String
            var topic: String
        }

        private var numbers: [Key: Int32] = [:]

        fileprivate mutating func number(of topic: String, in session: String) -> Int32 {
            // 0 is a late message's.
            let key = Key(session: session, topic: topic)
            let number = numbers[key] ?? Int32(numbers.count + 1)
            numbers[key] = number
            return number
        }
    }

    private let guards: Guards
    /// For each session, in the order of the configuration, its subscriptions in theirs.
    private let sessions: [(name: String, subscriptions: [MessageDecoder.Subscription])]

    init(_ domain: Configuration.Domain, _ streams: inout StreamNumbers) {
        guards = Guards(domain)
        var sessions: [(name: String, subscriptions: [MessageDecoder.Subscription])] = []
        for broker in domain.brokers {
            let session = BrokerConnection.name(of: broker)
            let subscriptions = broker.subscriptions.map { subscription in
                var rule: StreamRule?
                if subscription.overwrite == .replaceWindow {
                    rule = StreamRule(
                        stream: streams.number(of: subscription.topic.filter, in: session),
                        maxGap: subscription.maxGap.microseconds, maxSpan: subscription.maxSpan.microseconds)
                }
                return MessageDecoder.Subscription(
                    template: subscription.topic, overwrite: subscription.overwrite, epoch: subscription.epoch,
                    stream: rule)
            }
            sessions.append((session, subscriptions))
        }
        self.sessions = sessions
    }

    /// For a message of which only the topic tells where it came from, and which comes late: where a subscription replaces windows,
    /// it is a window of its own and continues none, or what was stored between it and the one before would go.
    var decoderForLate: MessageDecoder {
        var late = sessions.flatMap(\.subscriptions)
        for place in late.indices where late[place].stream != nil {
            late[place].stream = StreamRule(stream: 0, maxGap: 0, maxSpan: 0)
        }
        return MessageDecoder(subscriptions: late, guards: guards)
    }

    /// For what Windrow writes itself: messages that state everything.
    func decoderForOwn() throws(TopicTemplateError) -> MessageDecoder {
        let own = MessageDecoder.Subscription(template: try TopicTemplate("nodes/{node}/{tag}"), overwrite: .insert)
        return MessageDecoder(subscriptions: [own], guards: guards)
    }

    /// A decoder owns parse buffers: one for each thread.
    /// - Parameter former: subscriptions that the session had before, and whose messages may still come.
    func decoder(
        forSession name: String, and former: [MessageDecoder.Subscription] = []
    ) -> MessageDecoder {
        let own = sessions.first { $0.name == name }?.subscriptions ?? []
        return MessageDecoder(subscriptions: own + former, guards: guards)
    }
}

extension Guards {
    init(_ domain: Configuration.Domain) {
        self.init(
            oldest: domain.timestamps.oldest, retention: domain.storage.retention,
            newestAhead: domain.timestamps.newest.microseconds,
            replaceMaxSpan: domain.replace.maxSpan.microseconds)
    }
}

extension Duration {
    /// Whole microseconds.
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
