/// Reads the lines of a block, in one of the formats.
protocol RowReader: AnyObject {
    var format: RowFormat { get }

    /// Reads lines from `place` on, which is moved behind them, until it has reached `stop` or the text is at its end.
    /// - Parameter isAtEnd: the text goes on no further.
    func read(
        _ text: TextBlock, from place: inout Int, until stop: Int, isAtEnd: Bool, into block: inout ParsedBlock,
        _ table: inout SeriesTable
    ) -> RowOutcome
}

/// Where lines end.
enum RowFormat: Sendable {
    case csv(delimiter: UInt8)
    case ndjson

    /// Behind the line that begins at `start`, which could be read.
    func end(ofRowAt start: Int, in text: TextBlock) -> Int {
        switch self {
        case .csv(let delimiter):
            var scanner = CSVScanner(delimiter: delimiter)
            if case .row(let next) = scanner.scan(text.base, from: start, count: text.count, isAtEnd: true) {
                return next
            }
            return text.count
        case .ndjson:
            return firstNewline(in: text.base, from: start, to: text.count).map { $0 + 1 } ?? text.count
        }
    }
}

enum RowOutcome {
    /// At `stop`, or the end.
    case done
    /// The line at `place` goes on behind the text that is there.
    case incomplete
    /// The line at `place` does not end within so many bytes.
    case tooLong(Int)
}

/// What holds for all lines of an input.
struct RowRules {
    var guards: Guards
    /// What the guards go by.
    var now: Timestamp
    var overwrite: Overwrite
    var epoch: EpochUnit?
    /// Seconds east of UTC.
    var timeZone: Int?

    /// What a line does that does not say it itself. A window of the whole file is opened by the series' first line, of which a
    /// line alone knows nothing.
    var action: EditAction { overwrite == .insert ? .insert : .update }
    var isOfFile: Bool { overwrite == .replaceWindow }
}

extension Rejection {
    static func unknownNode(_ node: NodeName) -> Rejection {
        Rejection(.unknownNode, "node \(node) is not in the database, and unknown_nodes is reject")
    }
}
