/// Turns one MQTT message into one record of the batch, or into a rejection. Pure: no clock, no connection.
///
/// The record's range is settled here when the message states it: an `overwrite` in the payload's envelope, else the user property
/// `overwrite`, makes the message the window; so does an explicit `window`. A `replace_window` that the subscription states becomes
/// `EditAction.stream`, which acceptance settles.
///
/// Not Sendable: it owns the parser's buffers.
final class MessageDecoder {
    /// What the configuration says about the messages of one subscription.
    struct Subscription: Hashable, Sendable {
        var template: TopicTemplate
        /// For messages that do not state it themselves.
        var overwrite: Overwrite
        /// The unit of numeric timestamps; nil when they are not accepted.
        var epoch: EpochUnit?
        /// Set when `overwrite` is `replaceWindow`.
        var stream: StreamRule?

        init(template: TopicTemplate, overwrite: Overwrite, epoch: EpochUnit? = nil, stream: StreamRule? = nil) {
            precondition(
                overwrite != .replaceWindow || stream != nil, "a subscription that replaces windows has a stream rule")
            self.template = template
            self.overwrite = overwrite
            self.epoch = epoch
            self.stream = stream
        }
    }

    enum Outcome: Hashable, Sendable {
        /// As many points as the payload had; those that a later one superseded are counted here and in `RecordBatch.supersededCount`.
        case accepted(points: Int)
        /// The broker kept the message for new subscribers, and it does not say when it was measured.
        case skippedRetained
    }

    let subscriptions: [Subscription]
    private let guards: Guards
    private let parser = PayloadParser()

    init(subscriptions: [Subscription], guards: Guards) {
        self.subscriptions = subscriptions
        self.guards = guards
    }

    /// Adds the message's record to the batch. On a throw, and when it is skipped, the batch is unchanged.
    ///
    /// - Parameters:
    ///   - overwriteProperty: The MQTT 5 user property `overwrite`, if the message has it.
    ///   - isRetained: The broker kept the message for new subscribers (the RETAIN flag, MQTT 5 §3.3.1.3).
    ///   - receivedAt: What a point without `ts` gets.
    ///   - now: What the bounds of timestamps go by; nil for the time of receipt.
    func decode(
        topic: UnsafeRawBufferPointer, payload bytes: UnsafeRawBufferPointer, overwriteProperty: String?,
        isRetained: Bool, receivedAt: Timestamp, now: Timestamp? = nil, into batch: inout RecordBatch
    ) throws(Rejection) -> Outcome {
        for index in subscriptions.indices {
            guard let (node, tag) = subscriptions[index].template.match(topic) else { continue }
            let name = try Self.seriesName(node: node, tag: tag)
            let payload = try parser.parse(bytes, epoch: subscriptions[index].epoch, receivedAt: receivedAt)
            if isRetained && payload.stampedAt != nil { return .skippedRetained }
            let action = try Self.action(
                of: payload, property: overwriteProperty, configured: subscriptions[index].overwrite,
                stream: subscriptions[index].stream)
            try guards.check(payload, action, at: now ?? receivedAt)
            batch.beginRecord()
            batch.append(action, to: name, points: payload.points)
            return .accepted(points: payload.points.count)
        }
        throw Rejection(.wrongTopic, "the topic \(String(quoting: topic)) matches no subscription's template")
    }

    private static func seriesName(
        node: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer
    ) throws(Rejection) -> SeriesName {
        guard let nodeName = NodeName(utf8: node) else {
            throw Rejection(
                .badNode,
                "the node \(String(quoting: node)) is neither an integer from 1 to \(Int64.max) nor a UUID such as "
                    + "12345678-1234-1234-1234-123456789012")
        }
        guard let tagName = Tag(utf8: tag) else {
            throw Rejection(
                .badTag,
                "the tag \(String(quoting: tag)) is not \(Tag.expectation)")
        }
        return SeriesName(node: nodeName, tag: tagName)
    }

    private static func action(
        of payload: Payload, property: String?, configured: Overwrite, stream: StreamRule?
    ) throws(Rejection) -> EditAction {
        let stated = if let overwrite = payload.overwrite { overwrite } else { try overwrite(property: property) }
        return try payload.action(stated ?? configured, stream: stated == nil ? stream : nil)
    }

    private static func overwrite(property: String?) throws(Rejection) -> Overwrite? {
        guard let property else { return nil }
        guard let mode = Overwrite(rawValue: property) else {
            throw Rejection(
                .badOverwrite,
                "the user property overwrite is \(String(quoting: property)), expected \(Overwrite.expectation)")
        }
        return mode
    }
}
