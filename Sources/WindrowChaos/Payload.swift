/// Edits as their senders write them.
enum Payload {
    /// An edit as an MQTT payload.
    /// - Parameter statesMode: whether the payload says the mode; else the message has to.
    static func mqtt(_ edit: Edit, statesMode: Bool) -> String {
        let sent = edit.sent
        if !statesMode, edit.window == nil {
            return sent.count == 1 ? point(sent[0]) : list(sent)
        }
        var fields = [#""data":\#(list(sent))"#]
        if statesMode { fields.append(#""overwrite":"\#(edit.mode.rawValue)""#) }
        if let window = edit.window { fields.append(Self.window(window)) }
        return "{\(fields.joined(separator: ","))}"
    }

    /// The body of a request.
    static func request(_ edits: [Edit]) -> String {
        let elements = edits.map { edit in
            let node =
                switch edit.series.node {
                case .id(let id): "\(id)"
                case .uuid(let uuid): "\"\(uuid)\""
                }
            let window = edit.window.map { ",\(Self.window($0))" } ?? ""
            return #"{"node_id":\#(node),"tag":"\#(edit.series.tag)","data":\#(list(edit.sent))\#(window)}"#
        }
        return "[\(elements.joined(separator: ","))]"
    }

    private static func list(_ points: [Point]) -> String {
        "[\(points.map(point).joined(separator: ","))]"
    }

    private static func point(_ point: Point) -> String {
        #"{"v":\#(point.value),"ts":"\#(Timestamp.text(point.microseconds))"}"#
    }

    private static func window(_ window: ClosedRange<Int64>) -> String {
        #""window":{"start":"\#(Timestamp.text(window.lowerBound))","end":"\#(Timestamp.text(window.upperBound))"}"#
    }
}
