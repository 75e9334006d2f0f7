import Testing

@testable import Windrow

/// One message through a decoder of its own.
enum Decoded: Equatable {
    case accepted(EditAction, [Point])
    case skippedRetained
    case rejected(Rejection)

    /// What a table of rejections compares.
    var reason: Rejection.Reason? {
        if case .rejected(let rejection) = self { rejection.reason } else { nil }
    }

    var pointer: String? {
        if case .rejected(let rejection) = self { rejection.pointer } else { nil }
    }

    var detail: String {
        if case .rejected(let rejection) = self { rejection.detail } else { "" }
    }

    var points: [Point]? {
        if case .accepted(_, let points) = self { points } else { nil }
    }

    var action: EditAction? {
        if case .accepted(let action, _) = self { action } else { nil }
    }
}

/// How a message comes in, with what most tests leave alone.
struct Arrival {
    static let rule = StreamRule(stream: 3, maxGap: 3_600_000_000, maxSpan: 86_400_000_000)
    static let now = Timestamp(rfc3339: "2023-06-01T00:00:00Z")!

    var topic = "nodes/7/outdoortemp"
    var template = "nodes/{node}/{tag}"
    var overwrite = Overwrite.insert
    var epoch: EpochUnit?
    var property: String?
    /// When it is tried again.
    var judgedAt: Timestamp?
    var isRetained = false
    var guards = Guards(
        oldest: Timestamp(rfc3339: "1990-01-01T00:00:00Z")!, newestAhead: 400 * 86_400_000_000,
        replaceMaxSpan: 10 * 86_400_000_000)

    var decoder: MessageDecoder {
        get throws {
            MessageDecoder(
                subscriptions: [
                    .init(
                        template: try TopicTemplate(template), overwrite: overwrite, epoch: epoch,
                        stream: overwrite == .replaceWindow ? Self.rule : nil)
                ], guards: guards)
        }
    }

    func decode(_ payload: String) throws -> Decoded {
        try decode(Array(payload.utf8))
    }

    func decode(_ payload: [UInt8]) throws -> Decoded {
        try decode(payload, by: decoder)
    }

    /// Also proves that a message that is not accepted leaves the batch as it was.
    func decode(_ payload: [UInt8], by decoder: MessageDecoder) throws -> Decoded {
        var batch = RecordBatch()
        batch.beginRecord()
        batch.append(
            .insert, to: SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "before")),
            points: CollectionOfOne(Point(timestamp: Self.now, value: 1)))
        let before = batch
        do {
            switch try decode(payload, by: decoder, into: &batch) {
            case .skippedRetained:
                #expect(batch == before && batch.recordCount == 1)
                return .skippedRetained
            case .accepted(let count):
                let edit = try #require(batch.edits.last)
                #expect(batch.edits.count == 2 && batch.recordCount == 2 && edit.startsRecord)
                #expect(count == Int(edit.pointCount) + batch.supersededCount)
                return .accepted(edit.action, Array(batch.points[edit.points]))
            }
        } catch let rejection as Rejection {
            #expect(batch == before && batch.recordCount == 1 && batch.supersededCount == 0)
            return .rejected(rejection)
        }
    }

    func decode(
        _ payload: [UInt8], by decoder: MessageDecoder, into batch: inout RecordBatch
    ) throws(Rejection) -> MessageDecoder.Outcome {
        let topic = Array(topic.utf8)
        // Closures over inout and typed throws go through a result.
        let result: Result<MessageDecoder.Outcome, Rejection> = topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                do throws(Rejection) {
                    return .success(
                        try decoder.decode(
                            topic: topic, payload: payload, overwriteProperty: property, isRetained: isRetained,
                            receivedAt: Self.now, now: judgedAt, into: &batch))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try result.get()
    }
}

func point(_ timestamp: String, _ value: Double) -> Point {
    Point(timestamp: Timestamp(rfc3339: timestamp)!, value: value)
}

func range(_ first: String, _ last: String) -> TimeRange {
    TimeRange(first: Timestamp(rfc3339: first)!, last: Timestamp(rfc3339: last)!)
}
