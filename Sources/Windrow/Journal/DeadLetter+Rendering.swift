// Edits that are refused after they were accepted, when the bytes that the sender sent are gone: the same edit is written as an MQTT
// message that says everything itself.

extension DeadLetter {
    /// An edit that was refused whole.
    init(edit place: Int, of batch: RecordBatch, rejection: Rejection) {
        let edit = batch.edits[place]
        self.init(
            name: batch.series[Int(edit.series)], payload: Self.payload(edit.action, batch.points[edit.points]),
            rejection: rejection)
    }

    /// A point or range that PostgreSQL refuses.
    init(_ item: RefusedItem, name: SeriesName?) {
        let payload =
            switch item.content {
            case .point(let point):
                Self.payload(
                    point.isDefinite ? .update : .insert, [Point(timestamp: point.timestamp, value: point.value)])
            case .range(let range, let points): Self.payload(.replace(range), points[...])
            }
        self.init(name: name, payload: payload, rejection: Rejection(.refusedByDatabase, item.error.description))
    }

    private init(name: SeriesName?, payload: String, rejection: Rejection) {
        let topic = name.map { "nodes/\($0.node)/\($0.tag.name)" } ?? "unknown series"
        self = Array(payload.utf8).withUnsafeBytes {
            DeadLetter(receivedAt: .now, topic: topic, payload: $0, rejection: rejection, limit: .max)
        }
    }

    private static func payload(_ action: EditAction, _ points: ArraySlice<Point>) -> String {
        let data = points.map { #"{"v":\#($0.value),"ts":"\#($0.timestamp)"}"# }.joined(separator: ",")
        switch action {
        case .insert: return #"{"data":[\#(data)],"overwrite":"insert"}"#
        case .update: return #"{"data":[\#(data)],"overwrite":"update_window"}"#
        case .replace(let range):
            let window = #"{"start":"\#(range.first)","end":"\#(range.last)"}"#
            return #"{"data":[\#(data)],"overwrite":"replace_window","window":\#(window)}"#
        case .stream: preconditionFailure("acceptance settles the range of a stream edit")
        }
    }
}
