/// A domain's rules for messages, from its configuration.
struct IntakeRules: Sendable {
    private let guards: Guards
    /// For each broker, its subscriptions in the order of the configuration.
    private let subscriptions: [[MessageDecoder.Subscription]]

    init(_ domain: Configuration.Domain) {
        guards = Guards(domain)
        var stream: Int32 = 0
        subscriptions = domain.brokers.map { broker in
            broker.subscriptions.map { subscription in
                stream += 1
                let rule = StreamRule(
                    stream: stream, maxGap: subscription.maxGap.microseconds, maxSpan: subscription.maxSpan.microseconds
                )
                return MessageDecoder.Subscription(
                    template: subscription.topic, overwrite: subscription.overwrite, epoch: subscription.epoch,
                    stream: subscription.overwrite == .replaceWindow ? rule : nil)
            }
        }
    }

    /// For a message of which only the topic tells where it came from, and which comes late: where a subscription replaces windows,
    /// it is a window of its own and continues none, or what was stored between it and the one before would go.
    var decoderForLate: MessageDecoder {
        var late = subscriptions.flatMap(\.self)
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
    func decoder(forBroker place: Int) -> MessageDecoder {
        MessageDecoder(subscriptions: subscriptions[place], guards: guards)
    }
}

extension Guards {
    init(_ domain: Configuration.Domain) {
        self.init(
            oldest: domain.timestamps.oldest, newestAhead: domain.timestamps.newest.microseconds,
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
