import CSimdJSON

/// Bytes that stay where they are.
private final class OwnBytes {
    let bytes: UnsafeRawBufferPointer

    init(_ text: String) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
        memory.copyBytes(from: text.utf8)
        bytes = UnsafeRawBufferPointer(memory)
    }

    deinit {
        bytes.deallocate()
    }
}

/// Reads the rows of a CSV file as points.
final class CSVRowReader: RowReader {
    let format: RowFormat

    private let mapping: ColumnMapping
    private let rules: RowRules
    private var scanner: CSVScanner
    /// Of all lines; nil when a column says it.
    private let node: OwnBytes?
    /// Of each column of values; nil when a column says it.
    private let tags: [OwnBytes?]
    /// A tag that was written with doubled quotes.
    private var unescaped = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 1)

    deinit {
        unescaped.deallocate()
    }

    init(_ mapping: ColumnMapping, delimiter: UInt8, rules: RowRules) {
        self.mapping = mapping
        self.rules = rules
        scanner = CSVScanner(delimiter: delimiter)
        format = .csv(delimiter: delimiter)
        node = if case .constant(let node) = mapping.node { OwnBytes("\(node)") } else { nil }
        let common: OwnBytes? = if case .constant(let tag) = mapping.tag { OwnBytes(tag.name) } else { nil }
        tags = mapping.values.map { $0.tag.map { OwnBytes($0.name) } ?? common }
    }

    func read(
        _ text: TextBlock, from place: inout Int, until stop: Int, isAtEnd: Bool, into block: inout ParsedBlock,
        _ table: inout SeriesTable
    ) -> RowOutcome {
        while place < stop, place < text.count || !isAtEnd {
            switch scanner.scan(text.base, from: place, count: text.count, isAtEnd: isAtEnd) {
            case .row(let next):
                let mark = block.mark
                do throws(Rejection) {
                    try readRow(text, place, &block, &table)
                } catch {
                    block.forget(since: mark)
                    block.reject(place..<next, error)
                }
                place = next
            case .empty(let next): place = next
            case .malformed(let next, let fault):
                block.reject(place..<next, Self.rejection(fault))
                place = next
            case .incomplete: return .incomplete
            case .tooLong: return .tooLong(CSVScanner.longestRow)
            }
        }
        return .done
    }

    private func readRow(
        _ text: TextBlock, _ row: Int, _ block: inout ParsedBlock, _ table: inout SeriesTable
    ) throws(Rejection) {
        guard scanner.cells.count == mapping.count else {
            throw Rejection(
                .wrongShape,
                "the line has \(ColumnMapping.columns(scanner.cells.count)), the first line has \(mapping.count)")
        }
        let timestamp = try rules.timestamp(cell: raw(mapping.timestamp, text))
        try rules.guards.check(timestamp, at: rules.now, pointer: "")
        for (place, values) in mapping.values.enumerated() {
            let cell = raw(values.column, text)
            // In a wide file not every column has a value at every time.
            if values.tag != nil, cell.isEmpty { continue }
            let value = try RowRules.value(cell: cell, as: values.name)
            let series = try series(text, tags[place], &table)
            if table.isRefused[Int(series)] { throw .unknownNode(table.names[Int(series)].node) }
            block.append(
                Point(timestamp: timestamp, value: value), rules.action, isOfFile: rules.isOfFile, to: series, row: row)
        }
    }

    private func series(
        _ text: TextBlock, _ ownTag: OwnBytes?, _ table: inout SeriesTable
    ) throws(Rejection) -> Int32 {
        let nodeBytes: UnsafeRawBufferPointer
        switch mapping.node {
        case .column(let column): nodeBytes = raw(column, text)
        case .constant: nodeBytes = node?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
        }
        let tagBytes: UnsafeRawBufferPointer
        switch (ownTag, mapping.tag) {
        case (let own?, _): tagBytes = own.bytes
        case (nil, .column(let column)): tagBytes = unquoted(column, text)
        case (nil, _): tagBytes = UnsafeRawBufferPointer(start: nil, count: 0)
        }
        if let known = table.number(node: nodeBytes, tag: tagBytes) { return known }
        return table.add(try SeriesName(node: nodeBytes, tag: tagBytes), node: nodeBytes, tag: tagBytes)
    }

    /// The bytes of a cell as they stand: a number, a timestamp or a node with doubled quotes is none anyway.
    private func raw(_ column: Int, _ text: TextBlock) -> UnsafeRawBufferPointer {
        let cell = scanner.cells[column]
        return text.bytes(cell.offset..<cell.offset + cell.count)
    }

    /// The bytes of a row's tag.
    private func unquoted(_ column: Int, _ text: TextBlock) -> UnsafeRawBufferPointer {
        let bytes = raw(column, text)
        guard scanner.cells[column].isEscaped else { return bytes }
        if unescaped.count < bytes.count {
            unescaped.deallocate()
            unescaped = .allocate(byteCount: bytes.count, alignment: 1)
        }
        return CSVScanner.unescape(bytes, into: unescaped)
    }

    private static func rejection(_ fault: CSVScanner.Fault) -> Rejection {
        switch fault {
        case .textBehindQuote:
            Rejection(.wrongShape, "not CSV: behind a closing quote stands neither a delimiter nor the end of the line")
        case .unclosedQuote: Rejection(.wrongShape, "not CSV: a quote is not closed")
        }
    }
}

extension RowRules {
    /// A number as in JSON, finite as a double. One byte behind the cell must be readable.
    static func value(cell: UnsafeRawBufferPointer, as name: String) throws(Rejection) -> Double {
        var value = 0.0
        if sj_number(cell.baseAddress, cell.count, &value) != 0, value.isFinite { return value }
        if cell.isEmpty { throw Rejection(.badValue, "\(name) is empty") }
        throw Rejection(.badValue, "\(name) \(String(quoting: cell)) is not a finite number")
    }

    /// RFC 3339, a number where `epoch` names its unit, or what else databases write: an offset in hours alone (`+02`), or none where
    /// `timeZone` is set.
    func timestamp(cell: UnsafeRawBufferPointer) throws(Rejection) -> Timestamp {
        if let timestamp = Timestamp(rfc3339: cell) { return timestamp }
        var number = 0.0
        if let epoch, sj_number(cell.baseAddress, cell.count, &number) != 0 {
            if let timestamp = Timestamp(epoch: cell, in: epoch) { return timestamp }
            throw Rejection(
                .timestampOutOfBounds,
                "ts \(String(excerptOf: cell)), counted in \(epoch.rawValue), lies outside the years 0 to 9999")
        }
        if let timestamp = Self.timestamp(cell, followedBy: ":00") { return timestamp }
        if let local = Self.timestamp(cell, followedBy: "Z") {
            guard let timeZone else {
                throw Rejection(
                    .badTimestamp,
                    "ts \(String(quoting: cell)) has no offset from UTC; say which one is meant with --time-zone, such as "
                        + "--time-zone +01:00")
            }
            let timestamp = Timestamp(microseconds: local.microseconds - Int64(timeZone) * 1_000_000)
            if timestamp >= .earliest, timestamp <= .latest { return timestamp }
        }
        if cell.isEmpty { throw Rejection(.badTimestamp, "ts is empty") }
        let unit =
            sj_number(cell.baseAddress, cell.count, &number) != 0 ? "; for numbers name their unit with --epoch" : ""
        throw Rejection(
            .badTimestamp,
            "ts \(String(quoting: cell)) is not an RFC 3339 timestamp such as 2023-01-01T12:00:00Z\(unit)")
    }

    private static func timestamp(_ cell: UnsafeRawBufferPointer, followedBy end: StaticString) -> Timestamp? {
        guard (19...61).contains(cell.count) else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { buffer in
            buffer.copyMemory(from: cell)
            for place in 0..<end.utf8CodeUnitCount { buffer[cell.count + place] = end.utf8Start[place] }
            return Timestamp(
                rfc3339: UnsafeRawBufferPointer(rebasing: buffer[..<(cell.count + end.utf8CodeUnitCount)]))
        }
    }
}
