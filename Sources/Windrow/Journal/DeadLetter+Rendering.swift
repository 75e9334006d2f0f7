extension DeadLetter {
    /// For an edit that is refused after it was accepted, when the bytes that the sender sent are gone: the same edit written as
    /// an MQTT message that says everything itself.
    init(edit place: Int, of batch: RecordBatch, rejection: Rejection) {
        let edit = batch.edits[place]
        let name = batch.series[Int(edit.series)]
        let payload = Self.payload(edit.action, batch.points[edit.points])
        self = Array(payload.utf8).withUnsafeBytes {
            DeadLetter(receivedAt: .now, topic: "nodes/\(name.node)/\(name.tag.name)", payload: $0, rejection: rejection)
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
