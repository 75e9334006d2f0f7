import CSimdJSON

/// Reads MQTT payloads, in the four forms that they may have:
///
/// ```
/// 12.3                                             a number: stamped with the time of receipt
/// {"v": 12.3, "ts": "2023-01-01T12:00:00Z"}        one point (without ts: time of receipt)
/// [{"v": …, "ts": …}, …]                           points
/// {"data": [{"v": …, "ts": …}], "overwrite": "replace_window", "window": {…}}   envelope
/// ```
///
/// `overwrite` and `window` may also stand beside the `v` of one point. Other fields are skipped, but must be JSON. Not Sendable:
/// the parser owns the memory that its payloads point to, and uses it again.
final class PayloadParser {
    private let tokens = JSONTokens()
    private let points = PointBuffer()

    /// Throws unless the payload is JSON in one of the forms, with a number for each `v` and a timestamp for each `ts`.
    func parse(_ payload: UnsafeRawBufferPointer, epoch: EpochUnit?, receivedAt now: Timestamp) throws(Rejection)
        -> Payload
    {
        let document = try tokens.read(payload, items: .points)
        guard document.elementCount == 1 else {
            throw Rejection(
                .wrongShape,
                "the payload is \(document.description(of: document.root)), expected a number, an object with v and ts, an array of "
                    + "such objects, or an object with data",
                pointer: "")
        }
        let element = document.elements[0]
        let reader = TokenReader(document: document, epoch: epoch, receivedAt: now)
        let place = try place(of: element, in: document)
        let overwrite = try reader.overwrite(of: element, at: place)
        let window = try reader.window(of: element, at: place)

        let read: UnsafeMutableBufferPointer<Point>
        let summary: TokenReader.Summary
        switch place {
        case .number, .object:
            read = points.reserve(1)
            summary = try withUnsafePointer(to: element.point) { (point) throws(Rejection) in
                try reader.readPoints(UnsafeBufferPointer(start: point, count: 1), into: read, at: place)
            }
        case .items, .data:
            read = points.reserve(Int(element.pointCount))
            summary = try reader.readPoints(document.points(of: element), into: read, at: place)
        }
        return Payload(
            points: UnsafeBufferPointer(read), span: summary.span, stampedAt: summary.lacksTimestamp ? now : nil,
            overwrite: overwrite, window: window, place: place)
    }

    /// Which of the four forms it is.
    private func place(of element: SJElement, in document: SJDocument) throws(Rejection) -> PointPlace {
        switch document.root.kind {
        case .array: return .items
        case .object: break
        default: return .number
        }
        let hasValue = element.point.valueKind != .absent
        switch element.data.kind {
        case .array:
            guard !hasValue else {
                throw Rejection(.wrongShape, "the object has both v and data; expected one point or many", pointer: "")
            }
            return .data(element: nil)
        case .absent:
            guard hasValue || element.point.timestampKind != .absent else {
                throw Rejection(
                    .wrongShape,
                    "the object has neither v nor data; expected a point such as "
                        + "{\"v\": 12.3, \"ts\": \"2023-01-01T12:00:00Z\"} or an object with data", pointer: "")
            }
            return .object
        default:
            throw Rejection(
                .wrongShape, "data is \(document.description(of: element.data)), expected an array of points",
                pointer: "/data")
        }
    }
}
