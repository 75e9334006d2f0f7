/// Writes what waits in a journal as lines of NDJSON, which an import reads back: each edit with its mode and window, in their order.
public final class JournalExport {
    public struct Result: Sendable {
        public var batches = 0
        public var points = 0
        public var damagedBatches = 0
        public var damagedPoints = 0
        /// Why PostgreSQL could not be asked what it has already: then that is in the output too.
        public var postgresError: String?
    }

    private let view: JournalView
    private let domain: Configuration.Domain
    private let isInterrupted: () -> Bool

    /// Points of a line; what an edit has more of follows as an update, which comes to the same.
    private static let pointsPerLine = 10_000

    public init(_ view: JournalView, of domain: Configuration.Domain, isInterrupted: @escaping () -> Bool) {
        self.view = view
        self.domain = domain
        self.isInterrupted = isInterrupted
    }

    /// - Parameters:
    ///   - path: nil for standard output; deflated if it ends with `.gz`.
    ///   - replaces: whether a file of that name may be there.
    /// - Returns: nil when it was interrupted, and there is no file.
    /// - Throws: `TransferError`, `JournalError`, `OutputClosed`.
    public func run(to path: String?, replaces: Bool) throws -> Result? {
        let output = try OutputFile(path, replaces: replaces)
        let written = WrittenPosition(of: view, in: domain)
        var result = Result(postgresError: written.obstacle)
        struct Interrupted: Error {}
        do {
            try view.forEach(after: written.position ?? .start) { item in
                if isInterrupted() { throw Interrupted() }
                guard let batch = item.batch else {
                    result.damagedBatches += 1
                    result.damagedPoints += item.points
                    return
                }
                result.batches += 1
                result.points += batch.points.count
                for edit in batch.edits {
                    for line in Self.lines(edit, of: batch) { try output.write { $0 += line } }
                }
            }
        } catch is Interrupted {
            return nil
        }
        try output.finish()
        return result
    }

    static func lines(_ edit: Edit, of batch: RecordBatch) -> [[UInt8]] {
        let points = batch.points[edit.points]
        return stride(from: points.startIndex, to: max(points.endIndex, points.startIndex + 1), by: pointsPerLine).map {
            first in
            var text = JSONText()
            text.write("{")
            text.write(batch.series[Int(edit.series)])
            switch edit.action {
            case .insert: text.write(#","overwrite":"insert""#)
            case .replace(let range) where first == points.startIndex:
                text.write(
                    #","overwrite":"replace_window","window":{"start":"\#(range.first)","end":"\#(range.last)"}"#)
            case .update, .replace: text.write(#","overwrite":"update_window""#)
            case .stream: preconditionFailure("acceptance settles the range of a stream edit before it is journaled")
            }
            text.write(#","data":["#)
            for place in first..<min(first + pointsPerLine, points.endIndex) {
                if place > first { text.write(",") }
                text.write(#"{"v":\#(points[place].value),"ts":"\#(points[place].timestamp)"}"#)
            }
            text.write("]}\n")
            return text.bytes
        }
    }
}
