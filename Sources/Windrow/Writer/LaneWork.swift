/// A batch's edits of one lane's series, as the dispatcher hands them over: a copy of its own, so that a lane that is held up
/// holds nothing of the others'.
struct LaneWork: Sendable {
    struct Edit: Sendable {
        var series: SeriesID
        var action: EditAction
        var points: Range<Int>
    }

    var position: JournalPosition
    private(set) var edits: [Edit] = []
    private(set) var points: [Point] = []
    /// Names of the series in which ranges are deleted, for the log.
    private(set) var names: [SeriesID: SeriesName] = [:]

    init(position: JournalPosition) {
        self.position = position
    }

    mutating func append(_ edit: Windrow.Edit, of batch: RecordBatch, to series: SeriesID) {
        let first = points.count
        points += batch.points[edit.points]
        edits.append(Edit(series: series, action: edit.action, points: first..<points.count))
        if case .replace = edit.action { names[series] = batch.series[Int(edit.series)] }
    }

    /// What the work takes of the memory budget, in bytes, until it is committed: as it is, and folded into a pending window,
    /// whose arrays may have grown to twice what they hold.
    var cost: Int {
        edits.count * (MemoryLayout<Edit>.stride + 160) + points.count * (MemoryLayout<Point>.stride + 32) + names.count
            * 96
    }
}
