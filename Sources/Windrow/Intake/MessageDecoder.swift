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

    private let subscriptions: [Subscription]
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
    ///   - now: The time of receipt.
    func decode(
        topic: UnsafeRawBufferPointer, payload bytes: UnsafeRawBufferPointer, overwriteProperty: String?,
        isRetained: Bool,
        receivedAt now: Timestamp, into batch: inout RecordBatch
    ) throws(Rejection) -> Outcome {
        for index in subscriptions.indices {
            guard let (node, tag) = subscriptions[index].template.match(topic) else { continue }
            let name = try Self.seriesName(node: node, tag: tag)
            let payload = try parser.parse(bytes, epoch: subscriptions[index].epoch, receivedAt: now)
            if isRetained && payload.lacksTimestamp { return .skippedRetained }
            let action = try Self.action(
                of: payload, property: overwriteProperty, configured: subscriptions[index].overwrite,
                stream: subscriptions[index].stream)
            try check(payload, action, at: now)
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
                "the tag \(String(quoting: tag)) is not 1 to 255 bytes of UTF-8 without control characters, /, + and #")
        }
        return SeriesName(node: nodeName, tag: tagName)
    }

    private static func action(
        of payload: Payload, property: String?, configured: Overwrite, stream: StreamRule?
    ) throws(Rejection) -> EditAction {
        let stated = if let overwrite = payload.overwrite { overwrite } else { try overwrite(property: property) }
        let mode = stated ?? configured
        if mode != .replaceWindow, payload.window != nil {
            throw Rejection(
                .badWindow, "a window goes with overwrite replace_window only, and here overwrite is \(mode.rawValue)",
                pointer: payload.place.pointer(toField: "window"))
        }
        guard let range = payload.window ?? payload.span else {
            throw Rejection(
                .wrongShape, "there are no points; only an explicit window may be empty, to delete what is in it",
                pointer: payload.place.listPointer)
        }
        switch mode {
        case .insert: return .insert
        case .updateWindow: return .update
        case .replaceWindow:
            if stated == nil, payload.window == nil, let stream { return .stream(stream) }
            return .replace(range)
        }
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

    /// Bounds: of each point, of the explicit window, and of what is to be replaced.
    private func check(_ payload: Payload, _ action: EditAction, at now: Timestamp) throws(Rejection) {
        let place = payload.place
        if let window = payload.window {
            try guards.check(window.first, at: now, as: "start", pointer: place.pointer(toField: "window/start"))
            try guards.check(window.last, at: now, as: "end", pointer: place.pointer(toField: "window/end"))
            try guards.check(window: window, pointer: place.pointer(toField: "window"))
        }
        guard let span = payload.span else { return }
        // Only when one is out of bounds does it matter which.
        if !guards.admits(span.first, at: now) || !guards.admits(span.last, at: now) {
            for index in payload.points.indices {
                try guards.check(
                    payload.points[index].timestamp, at: now, pointer: place.pointer(toPoint: index, field: "ts"))
            }
        }
        if let window = payload.window, !window.contains(span.first) || !window.contains(span.last) {
            for index in payload.points.indices where !window.contains(payload.points[index].timestamp) {
                throw Rejection(
                    .outsideWindow,
                    "ts \(payload.points[index].timestamp) is outside the window from \(window.first) to \(window.last)",
                    pointer: place.pointer(toPoint: index, field: "ts"))
            }
        }
        switch action {
        case .insert, .update: break
        case .replace, .stream: try guards.check(window: span, pointer: place.listPointer)
        }
    }
}
