import CSimdJSON

/// Reads NDJSON: each line is an object with `node_id` and `tag` and either `v` and `ts` or `data`, or an array of such objects, as in
/// the body of a request. Beside `data`, or `v`, may stand `overwrite` and `window`.
final class LineReader: RowReader {
    var format: RowFormat { .ndjson }

    private let rules: RowRules
    private let node: NodeName?
    private let tag: Tag?
    private let tokens = JSONTokens()
    private let points = PointBuffer()

    /// Bytes.
    static let longestLine = 16 << 20

    init(_ options: ImportOptions, rules: RowRules) {
        self.rules = rules
        node = options.node
        tag = options.tag
    }

    func read(
        _ text: TextBlock, from place: inout Int, until stop: Int, isAtEnd: Bool, into block: inout ParsedBlock,
        _ table: inout SeriesTable
    ) -> RowOutcome {
        while place < stop, place < text.count || !isAtEnd {
            let limit = min(text.count, place + Self.longestLine)
            let found = firstNewline(in: text.base, from: place, to: limit)
            if found == nil, limit - place == Self.longestLine { return .tooLong(Self.longestLine) }
            if found == nil, !isAtEnd { return .incomplete }
            let end = found ?? limit
            let next = found.map { $0 + 1 } ?? limit
            let line = text.bytes(place..<end)
            if !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) {
                let mark = block.mark
                do throws(Rejection) {
                    try readLine(line, place, &block, &table)
                } catch {
                    block.forget(since: mark)
                    block.reject(place..<next, error)
                }
            }
            place = next
        }
        return .done
    }

    private func readLine(
        _ line: UnsafeRawBufferPointer, _ row: Int, _ block: inout ParsedBlock, _ table: inout SeriesTable
    ) throws(Rejection) {
        let document = try tokens.read(line, items: .elements)
        let isArray = document.root.kind == .array
        guard isArray || document.root.kind == .object else {
            throw Rejection(
                .wrongShape,
                "the line is \(document.description(of: document.root)), expected an object with node_id, tag, ts and v, or with "
                    + "node_id, tag and data")
        }
        let reader = TokenReader(document: document, epoch: rules.epoch, receivedAt: nil)
        for number in 0..<Int(document.elementCount) {
            try readElement(
                document.elements[number], isArray ? number : nil, reader, row, &block, &table)
        }
    }

    private func readElement(
        _ element: SJElement, _ number: Int?, _ reader: TokenReader, _ row: Int, _ block: inout ParsedBlock,
        _ table: inout SeriesTable
    ) throws(Rejection) {
        let document = reader.document
        let series = try series(of: element, PointPlace.data(element: number), reader, &table)
        if table.isRefused[Int(series)] { throw .unknownNode(table.names[Int(series)].node) }
        let hasValue = element.point.valueKind != .absent || element.point.timestampKind != .absent
        let place: PointPlace =
            element.data.kind == .absent && hasValue && number == nil ? .object : .data(element: number)
        let overwrite = try reader.overwrite(of: element, at: place)
        let window = try reader.window(of: element, at: place)

        let read: UnsafeMutableBufferPointer<Point>
        let summary: TokenReader.Summary
        switch element.data.kind {
        case .array:
            guard !hasValue else {
                throw Rejection(
                    .wrongShape, "the object has both v and data; expected one point or many",
                    pointer: place.elementPointer)
            }
            read = points.reserve(Int(element.pointCount))
            summary = try reader.readPoints(document.points(of: element), into: read, at: place)
        case .absent where hasValue:
            read = points.reserve(1)
            summary = try withUnsafePointer(to: element.point) { (point) throws(Rejection) in
                try reader.readPoints(UnsafeBufferPointer(start: point, count: 1), into: read, at: place)
            }
        default:
            throw Rejection(
                .wrongShape,
                element.data.kind == .absent
                    ? "the object has neither v nor data"
                    : "data is \(document.description(of: element.data)), expected an array of points",
                pointer: place.elementPointer)
        }
        let payload = Payload(
            points: UnsafeBufferPointer(read), span: summary.span, stampedAt: nil, overwrite: overwrite, window: window,
            place: place)
        // A window is the line's own if the line states it, or the mode; else that of the series in the whole file.
        let isOfFile = rules.isOfFile && overwrite == nil && window == nil
        let action = isOfFile ? EditAction.update : try payload.action(overwrite ?? rules.overwrite)
        guard payload.window != nil || !payload.points.isEmpty else {
            throw Rejection(.wrongShape, "there are no points", pointer: place.listPointer)
        }
        try rules.guards.check(payload, action, at: rules.now)
        if payload.points.count == 1, payload.window == nil, overwrite == nil {
            block.append(payload.points[0], action, isOfFile: isOfFile, to: series, row: row)
        } else {
            block.append(payload.points, action, isOfFile: isOfFile, to: series, row: row)
        }
    }

    private func series(
        of element: SJElement, _ place: PointPlace, _ reader: TokenReader, _ table: inout SeriesTable
    ) throws(Rejection) -> Int32 {
        let document = reader.document
        guard element.token.kind == .object else {
            throw Rejection(
                .wrongShape,
                "the element is \(document.description(of: element.token)), expected an object with node_id, tag and data",
                pointer: place.elementPointer)
        }
        // As bytes, a number is never a UUID, and what is no tag is never remembered.
        let isNode =
            element.nodeID.kind == .number || element.nodeID.kind == .string && element.nodeID.text.length == 36
        let (nodeBytes, tagBytes) = (document.bytes(of: element.nodeID.text), document.bytes(of: element.tag.text))
        if isNode, element.tag.kind == .string, let known = table.number(node: nodeBytes, tag: tagBytes) {
            return known
        }

        let node: NodeName =
            if element.nodeID.kind == .absent, let own = self.node { own } else {
                try reader.node(of: element, at: place)
            }
        let tag: Tag =
            if element.tag.kind == .absent, let own = self.tag { own } else { try reader.tag(of: element, at: place) }
        let name = SeriesName(node: node, tag: tag)
        var (nodeText, tagText) = ("\(node)", tag.name)
        return nodeText.withUTF8 { node in
            tagText.withUTF8 { tag in
                let (node, tag) = (UnsafeRawBufferPointer(node), UnsafeRawBufferPointer(tag))
                return table.number(node: node, tag: tag) ?? table.add(name, node: node, tag: tag)
            }
        }
    }
}
