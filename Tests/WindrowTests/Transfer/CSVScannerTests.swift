import Testing

@testable import Windrow

private enum NaiveRow: Equatable {
    case cells([[UInt8]])
    case malformed([UInt8])
}

/// RFC 4180, read byte by byte from a text that is all there.
private func naiveRows(_ text: [UInt8], delimiter: UInt8) -> [NaiveRow] {
    let (quote, newline, cr) = (UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var rows: [NaiveRow] = []
    var start = 0
    func isEnd(_ place: Int) -> Bool {
        place == text.count || text[place] == newline
            || text[place] == cr && (place + 1 == text.count || text[place + 1] == newline)
    }
    while start < text.count {
        var (place, cells, isBad, isDone) = (start, [[UInt8]](), false, false)
        while !isBad, !isDone {
            var cell: [UInt8] = []
            if place < text.count, text[place] == quote {
                place += 1
                while true {
                    if place == text.count {
                        isBad = true
                        break
                    }
                    if text[place] == quote {
                        if place + 1 < text.count, text[place + 1] == quote {
                            place += 1
                        } else {
                            place += 1
                            break
                        }
                    }
                    cell.append(text[place])
                    place += 1
                }
                if !isBad, place < text.count, text[place] != delimiter, !isEnd(place) { isBad = true }
            } else {
                while place < text.count, text[place] != delimiter, text[place] != newline {
                    cell.append(text[place])
                    place += 1
                }
                if place == text.count || text[place] == newline, cell.last == cr { cell.removeLast() }
            }
            cells.append(cell)
            if !isBad, place < text.count, text[place] == delimiter { place += 1 } else { isDone = true }
        }
        if isBad {
            let end = text[start...].firstIndex(of: newline).map { $0 + 1 } ?? text.count
            rows.append(.malformed(Array(text[start..<end])))
            start = end
            continue
        }
        let isEmpty = cells == [[]] && text[start] != quote
        if !isEmpty { rows.append(.cells(cells)) }
        if place < text.count, text[place] == cr { place += 1 }
        start = min(place + 1, text.count)
    }
    return rows
}

@Suite struct CSVScannerTests {
    /// Reads a text that comes piece by piece.
    private func rows(_ text: [UInt8], delimiter: UInt8 = UInt8(ascii: ","), piece: Int) throws -> [NaiveRow] {
        var scanner = CSVScanner(delimiter: delimiter)
        var rows: [NaiveRow] = []
        var (start, count) = (0, 0)
        let padded = text + [0]
        while true {
            let isAtEnd = count == text.count
            if start == text.count, isAtEnd { return rows }
            let outcome = padded.withUnsafeBufferPointer {
                scanner.scan($0.baseAddress!, from: start, count: count, isAtEnd: isAtEnd)
            }
            switch outcome {
            case .row(let next):
                rows.append(
                    .cells(
                        scanner.cells.map { cell in
                            let bytes = Array(text[cell.offset..<cell.offset + cell.count])
                            guard cell.isEscaped else { return bytes }
                            return bytes.withUnsafeBytes { raw in
                                let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: raw.count, alignment: 1)
                                defer { memory.deallocate() }
                                return Array(CSVScanner.unescape(raw, into: memory))
                            }
                        }))
                start = next
            case .empty(let next): start = next
            case .malformed(let next, _):
                rows.append(.malformed(Array(text[start..<next])))
                start = next
            case .incomplete:
                try #require(!isAtEnd, "at the end nothing is incomplete")
                count = min(count + piece, text.count)
            case .tooLong: Issue.record("no row is that long")
            }
        }
    }

    @Test("rows are those that a naive reader finds, in whatever pieces the text comes")
    func likeNaive() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("a1,,\"\"\n\r;".utf8)
        for round in 0..<3000 {
            let text = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            let expected = naiveRows(text, delimiter: UInt8(ascii: ","))
            for piece in [1, 3, 100] {
                #expect(
                    try rows(text, piece: piece) == expected,
                    "seed \(seed), round \(round), piece \(piece): \(String(decoding: text, as: UTF8.self).debugDescription)"
                )
            }
        }
    }

    @Test("quotes, doubled quotes, delimiters, line breaks and CRLF are read as RFC 4180 has them")
    func examples() throws {
        func cells(_ text: String, _ delimiter: Unicode.Scalar = ",") throws -> [[String]] {
            try rows(Array(text.utf8), delimiter: UInt8(ascii: delimiter), piece: 2).map { row in
                guard case .cells(let cells) = row else { return ["malformed"] }
                return cells.map { String(decoding: $0, as: UTF8.self) }
            }
        }
        #expect(try cells("a,b\r\nc,d") == [["a", "b"], ["c", "d"]])
        #expect(try cells("\"a,\"\"b\"\"\nc\",d\n") == [["a,\"b\"\nc", "d"]])
        #expect(try cells("a;;\n\n;\n", ";") == [["a", "", ""], ["", ""]])
        #expect(try cells("a\"b,c\n") == [["a\"b", "c"]])
        #expect(try cells("\"a\"b,c\nd\n") == [["malformed"], ["d"]])
        #expect(try cells("\"a\nb\nc\n") == [["malformed"], ["b"], ["c"]])
        #expect(try cells("\"\"") == [[""]])
    }

    @Test("a quote that is not closed swallows no more than the longest row")
    func unclosed() {
        var text = Array("1,\"a\n".utf8)
        text += Array(String(repeating: "2,b\n", count: CSVScanner.longestRow / 4).utf8)
        var scanner = CSVScanner(delimiter: UInt8(ascii: ","))
        let outcome = text.withUnsafeBufferPointer {
            scanner.scan($0.baseAddress!, from: 0, count: $0.count - 1, isAtEnd: false)
        }
        #expect(outcome == .malformed(next: 5, .unclosedQuote))
    }
}
