import CSimdJSON

/// The record of one request, and what the answer says about it.
struct DecodedRequest: Sendable {
    /// One element, as it was accepted.
    struct Element: Sendable {
        var series: SeriesName
        /// As many as the element had.
        var points: Int
        /// The window: explicit, or from the first point to the last.
        var range: TimeRange
    }

    var batch: RecordBatch
    var elements: [Element]
}

/// Turns the body of a request into one record, or into a rejection:
///
/// ```
/// [{"node_id": 1, "tag": "outdoortemp", "data": [{"v": 12.3, "ts": "2023-01-01T12:00:00Z"}, …], "window": {…}}, …]
/// ```
///
/// Each element is an edit of its own, and its own window. Pure: no clock, no connection. It owns buffers that one thread at a time
/// may use.
final class RequestDecoder {
    private let tokens = JSONTokens()
    private let points = PointBuffer()

    /// - Parameters:
    ///   - body: with `JSONTokens.padding` bytes behind it. It is changed.
    ///   - overwrite: stated by the query.
    ///   - now: for the guards.
    /// - Throws: the first thing that is wrong, with its place.
    func decode(
        _ body: UnsafeMutableRawBufferPointer, overwrite: Overwrite, guards: Guards, at now: Timestamp
    ) throws(Rejection) -> DecodedRequest {
        let document = try tokens.read(inPlace: body, items: .elements)
        guard document.root.kind == .array else {
            throw Rejection(
                .wrongShape,
                "the body is \(document.description(of: document.root)), expected an array of objects with node_id, tag and data",
                pointer: "")
        }
        guard document.elementCount > 0 else {
            throw Rejection(.wrongShape, "the array is empty, expected at least one series", pointer: "")
        }
        let reader = TokenReader(document: document, epoch: nil, receivedAt: nil)
        var request = DecodedRequest(batch: RecordBatch(), elements: [])
        request.batch.beginRecord()
        for place in 0..<Int(document.elementCount) {
            let element = document.elements[place]
            let (series, payload) = try read(element, PointPlace.data(element: place), reader)
            let action = try payload.action(overwrite)
            try guards.check(payload, action, at: now)
            request.batch.append(action, to: series, points: payload.points)
            guard let range = payload.window ?? payload.span else { continue }
            request.elements.append(DecodedRequest.Element(series: series, points: payload.points.count, range: range))
        }
        return request
    }

    private func read(
        _ element: SJElement, _ place: PointPlace, _ reader: TokenReader
    ) throws(Rejection) -> (SeriesName, Payload) {
        let document = reader.document
        guard element.token.kind == .object else {
            throw Rejection(
                .wrongShape,
                "the element is \(document.description(of: element.token)), expected an object with node_id, tag and data",
                pointer: place.elementPointer)
        }
        let series = SeriesName(
            node: try reader.node(of: element, at: place), tag: try reader.tag(of: element, at: place))
        guard element.overwrite.kind == .absent else {
            throw Rejection(
                .badOverwrite,
                "overwrite holds for the whole request and goes into the query: ?overwrite=replace_window",
                pointer: place.pointer(toField: "overwrite"))
        }
        guard element.data.kind == .array else {
            let isMissing = element.data.kind == .absent
            throw Rejection(
                .wrongShape, "data is \(document.description(of: element.data)), expected an array of points",
                pointer: isMissing ? place.elementPointer : place.pointer(toField: "data"))
        }
        let window = try reader.window(of: element, at: place)
        let read = points.reserve(Int(element.pointCount))
        let summary = try reader.readPoints(document.points(of: element), into: read, at: place)
        let payload = Payload(
            points: UnsafeBufferPointer(read), span: summary.span, stampedAt: nil, overwrite: nil,
            window: window,
            place: place)
        return (series, payload)
    }
}
