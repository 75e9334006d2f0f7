/// Cuts an input into blocks and reads what they say.
///
/// A block ends with the first line that reaches a multiple of `blockSize`, counted from the beginning of the inflated input, or one of
/// the cuts: so a run that goes on where another one was interrupted makes the same blocks, and no block lies across a place up to
/// which something is committed.
final class BlockParser {
    static let usualBlockSize = 2 << 20

    /// The header line as it came; empty without one.
    private(set) var header: [UInt8] = []

    private let source: ByteSource
    private let reader: any RowReader
    private let cuts: [Int]
    private let blockSize: Int
    /// What was read and belongs to the next block.
    private var rest: TextBlock
    private var isAtEnd = false

    /// Reads as far as it takes to know the columns.
    init(
        _ source: ByteSource, _ format: ImportOptions.Format, _ options: ImportOptions, _ rules: RowRules,
        cuts: [Int] = [],
        blockSize: Int = BlockParser.usualBlockSize
    ) throws(TransferError) {
        self.source = source
        self.blockSize = blockSize
        self.cuts = cuts.sorted()
        let text = TextBlock(start: 0, firstLine: 1, capacity: 0)
        var isAtEnd = false
        while text.count < 3, !isAtEnd { isAtEnd = try !source.read { text.append($0) } }
        let bom: [UInt8] = [0xEF, 0xBB, 0xBF]
        var place = text.bytes(0..<min(3, text.count)).elementsEqual(bom) ? 3 : 0
        switch format {
        case .ndjson: reader = LineReader(options, rules: rules)
        case .csv:
            let (names, next) = try Self.firstRow(source, options, text, place, &isAtEnd)
            let mapping: ColumnMapping
            do throws(TransferError) {
                mapping = try ColumnMapping(options, header: options.hasHeader ? names : nil, count: names.count)
            } catch {
                throw TransferError(error.kind, "\(source.name): \(error)")
            }
            if options.hasHeader {
                header = Array(text.bytes(place..<next))
                place = next
            }
            reader = CSVRowReader(mapping, delimiter: options.delimiter, rules: rules)
        }
        rest = text.tail(from: place, line: text.line(at: place))
        self.isAtEnd = isAtEnd
    }

    /// The part of the input that lies behind, of 1.
    var share: Double { share(at: rest.start) }

    /// Of a compressed input it is the part that was read: a bit more.
    private func share(at place: Int) -> Double {
        guard !source.isGzip, let size = source.size, size > 0 else { return source.share }
        return min(Double(place) / Double(size), 1)
    }

    /// The number of the line that is next.
    var line: Int { rest.firstLine }
    var isExhausted: Bool { isAtEnd && rest.count == 0 }

    /// Passes over what is behind the place already, without reading what it says.
    func skip(to place: Int) throws(TransferError) {
        var (start, line) = (rest.start, rest.firstLine)
        var kept = rest
        while start + kept.count < place, !isAtEnd {
            line += TextBlock.lines(in: kept.bytes(0..<kept.count))
            start += kept.count
            kept = TextBlock(start: start, firstLine: line, capacity: 1 << 20)
            isAtEnd = try !source.read { kept.append($0) }
        }
        let end = min(max(place - start, 0), kept.count)
        rest = kept.tail(from: end, line: kept.line(at: end))
    }

    /// nil at the end of the input.
    func next(_ table: inout SeriesTable) throws(TransferError) -> ParsedBlock? {
        let next = (rest.start / blockSize + 1) * blockSize
        let stop = min(next, cuts.first { $0 > rest.start } ?? .max) - rest.start
        let text = rest.tail(from: 0, line: rest.firstLine, capacity: blockSize + (512 << 10))
        while text.count < stop, !isAtEnd { isAtEnd = try !source.read { text.append($0) } }
        var block = ParsedBlock(text, reader.format)
        var end = 0
        reading: while true {
            switch reader.read(text, from: &end, until: stop, isAtEnd: isAtEnd, into: &block, &table) {
            case .done: break reading
            case .incomplete: isAtEnd = try !source.read { text.append($0) }
            case .tooLong(let limit):
                throw TransferError(
                    .badData,
                    "\(source.name):\(text.line(at: end)): the line has more than \(limit >> 20) MiB; is this the right file?"
                )
            }
        }
        guard end > 0 else { return nil }
        block.end = end
        let line = text.line(at: block.end)
        block.share = share(at: text.start + block.end)
        block.lines = line - 1
        // The last line of a file may lack its newline.
        if isAtEnd, block.end == text.count, text.base[block.end - 1] != UInt8(ascii: "\n") { block.lines = line }
        rest = text.tail(from: block.end, line: line)
        text.cut(at: block.end)
        return block
    }

    /// Reads a block once more, with what has become known of its series, or only up to a line.
    func again(_ block: ParsedBlock, until stop: Int? = nil, _ table: inout SeriesTable) -> ParsedBlock {
        var second = ParsedBlock(block.text, block.format)
        // It was read before, so nothing in it is too long.
        var end = 0
        _ = reader.read(block.text, from: &end, until: stop ?? block.end, isAtEnd: true, into: &second, &table)
        second.end = end
        second.share = share(at: block.text.start + second.end)
        second.lines = stop.map { block.text.line(at: $0) - 1 } ?? block.lines
        return second
    }

    private static func firstRow(
        _ source: ByteSource, _ options: ImportOptions, _ text: TextBlock, _ place: Int, _ isAtEnd: inout Bool
    ) throws(TransferError) -> (cells: [String], next: Int) {
        var scanner = CSVScanner(delimiter: options.delimiter)
        while true {
            switch scanner.scan(text.base, from: place, count: text.count, isAtEnd: isAtEnd) {
            case .row(let next) where next > place:
                let cells = scanner.cells.map { cell in
                    let text = String(decoding: text.bytes(cell.offset..<cell.offset + cell.count), as: UTF8.self)
                    return cell.isEscaped
                        ? text.split(separator: "\"\"", omittingEmptySubsequences: false).joined(separator: "\"") : text
                }
                return (cells, next)
            case .incomplete:
                isAtEnd = try !source.read { text.append($0) }
            case .row, .empty, .malformed, .tooLong:
                if !options.hasHeader, text.count == place, isAtEnd { return ([], place) }
                throw TransferError(
                    .badData,
                    text.count == place
                        ? "\(source.name) is empty: not even a header line is there"
                        : "\(source.name):1: the first line is no line of CSV with columns")
            }
        }
    }
}

extension TextBlock {
    /// A new text that begins with what this one has from a place on.
    /// - Parameter line: the number of the line that begins there.
    func tail(from place: Int, line: Int, capacity: Int = 0) -> TextBlock {
        let tail = TextBlock(start: start + place, firstLine: line, capacity: max(capacity, count - place))
        tail.append(bytes(place..<count))
        return tail
    }
}
