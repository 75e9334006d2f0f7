import CSimdJSON

/// Gives the tokens of one document their meaning: timestamps, values, windows, modes. Both intakes, MQTT and HTTP, read by it.
struct TokenReader {
    let document: SJDocument
    /// The unit of numeric timestamps; nil when there are to be none.
    let epoch: EpochUnit?
    /// The timestamp of a point that has none; nil when each must have one.
    let receivedAt: Timestamp?

    /// What `readPoints` found.
    struct Summary {
        /// From the earliest to the latest point; nil when there is none.
        var span: TimeRange?
        /// Some point has no `ts`.
        var lacksTimestamp = false
    }

    /// Writes a point for each token, in order. The caller provides the memory, which has as many places.
    func readPoints(
        _ tokens: UnsafeBufferPointer<SJPoint>, into points: UnsafeMutableBufferPointer<Point>, at place: PointPlace
    ) throws(Rejection) -> Summary {
        var summary = Summary()
        var first = Timestamp.latest
        var last = Timestamp.earliest
        for index in tokens.indices {
            let token = tokens[index]
            guard token.valueKind == .number, token.timestampKind != .noObject else {
                throw rejection(ofValue: token, at: index, of: place)
            }
            let timestamp: Timestamp
            switch token.timestampKind {
            case .string:
                guard let read = Timestamp(rfc3339: document.bytes(of: token.timestampText)) else {
                    throw rejection(
                        ofTimestamp: .string, token.timestampText, "ts", place.pointer(toPoint: index, field: "ts"))
                }
                timestamp = read
            case .absent:
                guard let receivedAt else {
                    throw Rejection(.badTimestamp, "ts is missing", pointer: place.pointer(toPoint: index))
                }
                timestamp = receivedAt
                summary.lacksTimestamp = true
            default:
                timestamp = try self.timestamp(
                    token.timestampKind, token.timestampText, as: "ts",
                    pointer: place.pointer(toPoint: index, field: "ts"))
            }
            points.initializeElement(at: index, to: Point(timestamp: timestamp, value: token.value.number))
            first = min(first, timestamp)
            last = max(last, timestamp)
        }
        if !tokens.isEmpty { summary.span = TimeRange(first: first, last: last) }
        return summary
    }

    /// The explicit window of an element; nil when it has none.
    func window(of element: SJElement, at place: PointPlace) throws(Rejection) -> TimeRange? {
        guard element.window.kind != .absent else { return nil }
        guard element.window.kind == .object else {
            throw Rejection(
                .badWindow,
                "window is \(document.description(of: element.window)), expected an object with start and end",
                pointer: place.pointer(toField: "window"))
        }
        let start = try bound(element.windowStart, "start", at: place)
        let end = try bound(element.windowEnd, "end", at: place)
        guard start <= end else {
            throw Rejection(
                .badWindow, "the window starts at \(start), after its end at \(end)",
                pointer: place.pointer(toField: "window"))
        }
        return TimeRange(first: start, last: end)
    }

    /// The mode that an element states; nil when it states none.
    func overwrite(of element: SJElement, at place: PointPlace) throws(Rejection) -> Overwrite? {
        let token = element.overwrite
        guard token.kind != .absent else { return nil }
        if token.kind == .string,
            let mode = Overwrite(rawValue: String(decoding: document.bytes(of: token.text), as: UTF8.self))
        {
            return mode
        }
        throw Rejection(
            .badOverwrite, "overwrite is \(document.description(of: token)), expected \(Overwrite.expectation)",
            pointer: place.pointer(toField: "overwrite"))
    }

    /// The node that an element names.
    func node(of element: SJElement, at place: PointPlace) throws(Rejection) -> NodeName {
        let token = element.nodeID
        let bytes = document.bytes(of: token.text)
        switch token.kind {
        case .number, .hugeNumber: if let id = NodeID(utf8: bytes) { return .id(id) }
        case .string: if let uuid = NodeUUID(utf8: bytes) { return .uuid(uuid) }
        default: break
        }
        throw Rejection(
            .badNode,
            "node_id is \(document.description(of: token)), expected an integer from 1 to \(Int64.max) or a UUID such as "
                + "\"12345678-1234-1234-1234-123456789012\"",
            pointer: token.kind == .absent ? place.elementPointer : place.pointer(toField: "node_id"))
    }

    /// The tag that an element names.
    func tag(of element: SJElement, at place: PointPlace) throws(Rejection) -> Tag {
        let token = element.tag
        if token.kind == .string, let tag = Tag(utf8: document.bytes(of: token.text)) { return tag }
        throw Rejection(
            .badTag, "tag is \(document.description(of: token)), expected \(Tag.expectation)",
            pointer: token.kind == .absent ? place.elementPointer : place.pointer(toField: "tag"))
    }

    private func bound(_ token: SJToken, _ name: String, at place: PointPlace) throws(Rejection) -> Timestamp {
        guard token.kind != .absent else {
            throw Rejection(.badWindow, "the window has no \(name)", pointer: place.pointer(toField: "window"))
        }
        return try timestamp(token.kind, token.text, as: name, pointer: place.pointer(toField: "window/\(name)"))
    }

    private func timestamp(
        _ kind: SJKind, _ text: SJText, as name: String, pointer: @autoclosure () -> String
    ) throws(Rejection) -> Timestamp {
        switch kind {
        case .string:
            if let timestamp = Timestamp(rfc3339: document.bytes(of: text)) { return timestamp }
        case .number, .hugeNumber:
            // A text of this length may have been cut: `SJPoint.timestampLength`.
            guard let epoch, text.length < UInt16.max else { break }
            if let timestamp = Timestamp(epoch: document.bytes(of: text), in: epoch) { return timestamp }
            throw Rejection(
                .timestampOutOfBounds,
                "\(name) \(String(excerptOf: document.bytes(of: text))), counted in \(epoch.rawValue), lies outside the years 0 to 9999",
                pointer: pointer())
        default: break
        }
        throw rejection(ofTimestamp: kind, text, name, pointer())
    }

    // MARK: - Rejections

    private func rejection(ofTimestamp kind: SJKind, _ text: SJText, _ name: String, _ pointer: String) -> Rejection {
        let detail =
            switch kind {
            case .string:
                "\(name) \(String(quoting: document.bytes(of: text))) is not an RFC 3339 timestamp such as 2023-01-01T12:00:00Z"
            // Requests always carry their timestamps, and have no unit to configure.
            case .number where receivedAt != nil, .hugeNumber where receivedAt != nil:
                "\(name) is \(document.description(of: kind, text)), but no unit is configured for numeric timestamps (epoch); "
                    + "expected an RFC 3339 timestamp such as \"2023-01-01T12:00:00Z\""
            default:
                "\(name) is \(document.description(of: kind, text)), expected an RFC 3339 timestamp such as \"2023-01-01T12:00:00Z\""
            }
        return Rejection(.badTimestamp, detail, pointer: pointer)
    }

    private func rejection(ofValue token: SJPoint, at index: Int, of place: PointPlace) -> Rejection {
        if token.timestampKind == .noObject {
            let found =
                token.valueKind == .number ? "a number" : document.description(of: token.valueKind, token.value.text)
            return Rejection(
                .wrongShape, "the point is \(found), expected an object with v and ts",
                pointer: place.pointer(toPoint: index))
        }
        if token.valueKind == .absent {
            return Rejection(.badValue, "v is missing", pointer: place.pointer(toPoint: index))
        }
        let found = document.description(of: token.valueKind, token.value.text)
        return Rejection(
            .badValue, token.valueKind == .hugeNumber ? "v is \(found)" : "v is \(found), expected a number",
            pointer: place.pointer(toPoint: index, field: "v"))
    }
}

extension SJPoint {
    fileprivate var timestampText: SJText {
        SJText(offset: timestampOffset, length: UInt32(timestampLength))
    }
}

extension Overwrite {
    /// The words for the modes, to follow `expected` in a sentence.
    static let expectation = "one of " + allCases.map(\.rawValue).joined(separator: ", ")
}
