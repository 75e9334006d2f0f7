@testable import Windrow

/// The input is an MQTT payload: it comes in through every kind of subscription, and each must do with it what the model says.
enum PayloadTarget {
    private static let now = Timestamp(microseconds: 1_685_577_600_000_000)
    static let guards = Guards(
        oldest: Timestamp(microseconds: 631_152_000_000_000), newestAhead: 400 * 86_400_000_000,
        replaceMaxSpan: 10 * 86_400_000_000)

    /// One way to come in.
    private struct Arrival {
        var subscription: Int
        var property: String?
        var isRetained = false

        var topic: [UInt8] { Array("\(subscription)/7/t".utf8) }
    }

    /// One decoder has them all; the topic tells which is meant.
    private static let subscriptions: [MessageDecoder.Subscription] = {
        let kinds = ([nil] + EpochUnit.allCases).flatMap { epoch in Overwrite.allCases.map { (epoch, $0) } }
        return kinds.enumerated().map { place, kind in
            guard let template = try? TopicTemplate("\(place)/{node}/{tag}") else { preconditionFailure("a template") }
            let rule = StreamRule(stream: Int32(place), maxGap: 3_600_000_000, maxSpan: 86_400_000_000)
            return .init(
                template: template, overwrite: kind.1, epoch: kind.0, stream: kind.1 == .replaceWindow ? rule : nil)
        }
    }()

    private static let arrivals: [Arrival] = {
        let properties = Overwrite.allCases.map(\.rawValue) + ["nonsense"]
        return subscriptions.indices.map { Arrival(subscription: $0) }
            + Overwrite.allCases.indices.flatMap { subscription in
                [Arrival(subscription: subscription, isRetained: true)]
                    + properties.map { Arrival(subscription: subscription, property: $0) }
            }
    }()

    static func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        let json = NaiveJSON(input)
        let decoder = MessageDecoder(subscriptions: subscriptions, guards: guards)
        var batch = RecordBatch()
        for arrival in arrivals { try take(input, json, arrival, decoder, &batch) }
        try batch.checkAcceptance()
        return !batch.isEmpty
    }

    private static func take(
        _ input: UnsafeRawBufferPointer, _ json: NaiveJSON?, _ arrival: Arrival, _ decoder: MessageDecoder,
        _ batch: inout RecordBatch
    ) throws(Violation) {
        let subscription = subscriptions[arrival.subscription]
        let edit = json.flatMap { NaiveEdit(payload: $0, .init(epoch: subscription.epoch, receivedAt: now)) }
        let before = batch
        switch decode(input, arrival, decoder, &batch) {
        case .success(.skippedRetained):
            try check(batch.isSame(as: before), "a skipped message left a trace")
            try check(edit?.lacksTimestamp == true && arrival.isRetained, "skipped, and it should not be")
        case .failure(let rejection):
            try check(batch.isSame(as: before), "a rejected message left a trace")
            try check(
                rejection.saysNoJSON == (json == nil), "the model finds \(json == nil ? "no " : "")JSON (\(rejection))")
            try rejection.check(in: json)
            try check(edit.flatMap { action(of: $0, arrival) } == nil, "rejected, and it should not be: \(rejection)")
        case .success(.accepted(let count)):
            guard let edit, let action = action(of: edit, arrival), let added = batch.edits.last else {
                throw Violation("accepted, and it should not be")
            }
            try check(batch.edits.count == before.edits.count + 1 && added.startsRecord, "not one record")
            try check(batch.recordCount == before.recordCount + 1, "records are miscounted")
            try check(added.action == action, "\(added.action), expected \(action)")
            try check(
                batch.points[added.points].elementsEqual(edit.points) { $0.isSame(as: $1) },
                "\(batch.points[added.points]), expected \(edit.points)")
            try check(
                count == edit.pointCount
                    && batch.points.count + batch.supersededCount
                        == before.points.count + before.supersededCount + count,
                "points are miscounted")
        }
    }

    private static func action(of edit: NaiveEdit, _ arrival: Arrival) -> EditAction? {
        if arrival.isRetained && edit.lacksTimestamp { return nil }
        let property = arrival.property.map { Overwrite(rawValue: $0) }
        let subscription = subscriptions[arrival.subscription]
        if let mode = edit.overwrite { return edit.action(mode, guards, at: now) }
        if let property { return property.flatMap { edit.action($0, guards, at: now) } }
        return edit.action(subscription.overwrite, stream: subscription.stream, guards, at: now)
    }

    private static func decode(
        _ input: UnsafeRawBufferPointer, _ arrival: Arrival, _ decoder: MessageDecoder, _ batch: inout RecordBatch
    ) -> Result<MessageDecoder.Outcome, Rejection> {
        arrival.topic.withUnsafeBytes { topic in
            Result { () throws(Rejection) in
                try decoder.decode(
                    topic: topic, payload: input, overwriteProperty: arrival.property, isRetained: arrival.isRetained,
                    receivedAt: now, into: &batch)
            }
        }
    }
}

extension RecordBatch {
    /// Its counts too.
    func isSame(as other: RecordBatch) -> Bool {
        self == other && recordCount == other.recordCount && supersededCount == other.supersededCount
    }
}
