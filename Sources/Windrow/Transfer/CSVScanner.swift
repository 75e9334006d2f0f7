/// Finds the cells of CSV rows (RFC 4180): cells in quotes may hold delimiters, line breaks and doubled quotes; a row ends with LF or
/// CRLF, or with the text. A quote inside a cell that does not begin with one is a character like any other.
struct CSVScanner: ~Copyable {
    /// A stretch of the text, without the quotes around it.
    struct Cell {
        var offset: Int
        var count: Int
        /// It holds doubled quotes.
        var isEscaped: Bool
    }

    enum Outcome: Equatable {
        /// A row with its cells, and where the next one begins.
        case row(next: Int)
        /// A line with nothing on it.
        case empty(next: Int)
        /// Not CSV: its first line is given up.
        case malformed(next: Int, Fault)
        /// The row goes on behind the text that is there.
        case incomplete
        /// No line ends within `longestRow`.
        case tooLong
    }

    enum Fault: Equatable {
        case textBehindQuote
        case unclosedQuote
    }

    /// Bytes; a quote that is not closed must not swallow the rest of the file.
    static let longestRow = 1 << 20

    private let delimiter: UInt8
    private(set) var cells: [Cell] = []

    init(delimiter: UInt8) {
        self.delimiter = delimiter
        cells.reserveCapacity(16)
    }

    /// Reads the row at `start`.
    /// - Parameters:
    ///   - count: bytes of the text; one more must be readable.
    ///   - isAtEnd: the text goes on no further.
    mutating func scan(
        _ text: UnsafePointer<UInt8>, from start: Int, count: Int, isAtEnd: Bool
    ) -> Outcome {
        cells.removeAll(keepingCapacity: true)
        let limit = min(count, start + Self.longestRow)
        let isWhole = isAtEnd && limit == count
        let (quote, newline, delimiter) = (UInt8(ascii: "\""), UInt8(ascii: "\n"), delimiter)
        var place = start
        while true {
            if place < limit, text[place] == quote {
                let first = place + 1
                var isEscaped = false
                place = first
                while true {
                    guard let found = firstPlace(of: quote, in: text, from: place, to: limit) else {
                        return giveUp(text, start, limit, isWhole, count, .unclosedQuote)
                    }
                    place = found
                    if place + 1 == limit, !isWhole {
                        return giveUp(text, start, limit, isWhole, count, .unclosedQuote)
                    }
                    guard place + 1 < limit, text[place + 1] == quote else { break }
                    isEscaped = true
                    place += 2
                }
                cells.append(Cell(offset: first, count: place - first, isEscaped: isEscaped))
                place += 1
                if place == limit, isWhole { return .row(next: limit) }
                if text[place] == delimiter {
                    place += 1
                    continue
                }
                if text[place] == newline { return .row(next: place + 1) }
                if text[place] == UInt8(ascii: "\r") {
                    if place + 1 == limit, !isWhole {
                        return giveUp(text, start, limit, isWhole, count, .textBehindQuote)
                    }
                    if place + 1 == limit { return .row(next: limit) }
                    if text[place + 1] == newline { return .row(next: place + 2) }
                }
                return malformed(text, start, limit, isWhole, .textBehindQuote)
            }
            let first = place
            while place < limit, text[place] != delimiter, text[place] != newline { place += 1 }
            if place == limit, !isWhole { return giveUp(text, start, limit, isWhole, count, nil) }
            if place < limit, text[place] == delimiter {
                cells.append(Cell(offset: first, count: place - first, isEscaped: false))
                place += 1
                continue
            }
            let end = place > first && text[place - 1] == UInt8(ascii: "\r") ? place - 1 : place
            let next = min(place + 1, limit)
            if cells.isEmpty, end == first { return .empty(next: next) }
            cells.append(Cell(offset: first, count: end - first, isEscaped: false))
            return .row(next: next)
        }
    }

    /// The row does not end before `limit`: because the text does not yet, or because it is too long.
    private func giveUp(
        _ text: UnsafePointer<UInt8>, _ start: Int, _ limit: Int, _ isWhole: Bool, _ count: Int, _ fault: Fault?
    ) -> Outcome {
        if !isWhole, limit == count, limit - start < Self.longestRow { return .incomplete }
        return fault.map { malformed(text, start, limit, isWhole, $0) } ?? .tooLong
    }

    private func malformed(
        _ text: UnsafePointer<UInt8>, _ start: Int, _ limit: Int, _ isWhole: Bool, _ fault: Fault
    ) -> Outcome {
        guard let found = firstNewline(in: text, from: start, to: limit) else {
            if isWhole { return .malformed(next: limit, fault) }
            return limit - start < Self.longestRow ? .incomplete : .tooLong
        }
        return .malformed(next: found + 1, fault)
    }

    /// Makes one quote of each two.
    /// - Parameter memory: with room for as many bytes.
    static func unescape(
        _ bytes: UnsafeRawBufferPointer, into memory: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        var (from, count) = (0, 0)
        while from < bytes.count {
            memory[count] = bytes[from]
            count += 1
            from += bytes[from] == UInt8(ascii: "\"") ? 2 : 1
        }
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<count])
    }
}
