/// What a block of the input says: edits of series, in the order of its lines.
///
/// Each line is an edit of its own, so that where blocks are cut never matters. Lines that follow one another are put together as far as
/// that makes no difference: in the same series and mode, and going forward in time.
struct ParsedBlock: Sendable {
    struct Edit: Sendable {
        /// The series' number in the input; of several that are one, the lowest.
        var series: Int32
        /// In the database; once it is known.
        var id = SeriesID(0)
        var action: EditAction
        /// The window of the edit is that of the series in the whole file.
        var isOfFile: Bool
        var points: Range<Int>
        /// Where the line begins that the edit is of, or the first such line.
        var row: Int
    }

    /// A line that cannot be read.
    struct BadRow: Sendable {
        var row: Range<Int>
        var rejection: Rejection
    }

    let text: TextBlock
    let format: RowFormat
    private(set) var points: [Point] = []
    /// Where the line begins that each point is of.
    private(set) var rows: [UInt32] = []
    private(set) var badRows: [BadRow] = []
    var edits: [Edit] = []
    /// Points of lines that a later one of the same line superseded.
    private(set) var supersededCount = 0
    /// Where the next line begins, in the text.
    var end = 0
    /// The part of the input that was read by then, of 1.
    var share = 0.0
    /// Lines up to the end, those of earlier blocks included.
    var lines = 0

    init(_ text: TextBlock, _ format: RowFormat) {
        self.text = text
        self.format = format
        points.reserveCapacity(text.count / 32)
        rows.reserveCapacity(text.count / 32)
    }

    /// Where the next line begins, in the input.
    var position: JournalPosition { JournalPosition(Int64(text.start + end)) }

    var pointCount: Int { points.count + supersededCount }

    mutating func append(_ point: Point, _ action: EditAction, isOfFile: Bool, to series: Int32, row: Int) {
        points.append(point)
        rows.append(UInt32(truncatingIfNeeded: row))
        let end = points.count
        if let last = edits.last, last.series == series, last.isOfFile == isOfFile, last.points.upperBound == end - 1,
            end >= 2, points[end - 2].timestamp < point.timestamp, Self.joins(last.action, action)
        {
            edits[edits.count - 1].points = last.points.lowerBound..<end
            return
        }
        edits.append(Edit(series: series, action: action, isOfFile: isOfFile, points: end - 1..<end, row: row))
    }

    /// Adds an edit with its points in any order; of several at one timestamp the last one counts.
    mutating func append(
        _ edited: UnsafeBufferPointer<Point>, _ action: EditAction, isOfFile: Bool, to series: Int32, row: Int
    ) {
        let first = points.count
        points.append(contentsOf: edited)
        supersededCount += points.sortLastOfEach(from: first)
        rows.append(contentsOf: repeatElement(UInt32(truncatingIfNeeded: row), count: points.count - first))
        edits.append(
            Edit(series: series, action: action, isOfFile: isOfFile, points: first..<points.count, row: row))
    }

    mutating func reject(_ row: Range<Int>, _ rejection: Rejection) {
        badRows.append(BadRow(row: row, rejection: rejection))
    }

    /// How much there is, to go back to.
    struct Mark {
        fileprivate var edits: Int
        fileprivate var points: Int
        fileprivate var superseded: Int
    }

    var mark: Mark { Mark(edits: edits.count, points: points.count, superseded: supersededCount) }

    /// Forgets what a line has said before it turned out to be bad.
    mutating func forget(since mark: Mark) {
        edits.removeSubrange(mark.edits...)
        points.removeSubrange(mark.points...)
        rows.removeSubrange(mark.points...)
        if let last = edits.last, last.points.upperBound > mark.points {
            edits[edits.count - 1].points = last.points.lowerBound..<mark.points
        }
        supersededCount = mark.superseded
    }

    private static func joins(_ a: EditAction, _ b: EditAction) -> Bool {
        switch (a, b) {
        case (.insert, .insert), (.update, .update): true
        default: false
        }
    }
}
