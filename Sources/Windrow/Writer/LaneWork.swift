/// A batch's edits of one lane's series, as the dispatcher hands them over: a copy of its own, so that a lane that is held up
/// holds nothing of the others'.
struct LaneWork: Sendable {
    struct Edit: Sendable {
        var series: SeriesID
        var action: EditAction
        var points: Range<Int>
    }

    var position: JournalPosition
    /// In which the numbers of the series were found: in another one they may be others'.
    var timeline: Timeline?
    /// When the first record of the batch was received; nil: by an earlier run.
    var receivedAt: ContinuousClock.Instant?
    /// When the lane was given it.
    let arrivedAt = ContinuousClock.now
    /// Of a sender that waits until the work is committed.
    var receipt: Receipt?
    private(set) var edits: [Edit] = []
    private(set) var points: [Point] = []
    /// Names of the series in which ranges are deleted, for the log.
    private(set) var names: [SeriesID: SeriesName] = [:]

    init(
        position: JournalPosition, timeline: Timeline? = nil, receivedAt: ContinuousClock.Instant? = nil,
        receipt: Receipt? = nil
    ) {
        self.position = position
        self.timeline = timeline
        self.receivedAt = receivedAt
        self.receipt = receipt
    }

    /// Whether the item is one of the work's own.
    func contains(_ item: RefusedItem) -> Bool {
        edits.contains { edit in
            guard edit.series == item.series else { return false }
            switch item.content {
            case .point(let point): return points[edit.points].contains { $0.timestamp == point.timestamp }
            case .range(let range, _):
                guard case .replace(let own) = edit.action else { return false }
                return own.first <= range.last && range.first <= own.last
            }
        }
    }

    mutating func append(_ edit: Windrow.Edit, of batch: RecordBatch, to series: SeriesID) {
        let first = points.count
        points += batch.points[edit.points]
        edits.append(Edit(series: series, action: edit.action, points: first..<points.count))
        if case .replace = edit.action { names[series] = batch.series[Int(edit.series)] }
    }

    /// What the work takes of the memory budget, in bytes, until it is committed: as it is, and folded into a pending window,
    /// whose arrays may have grown to twice what they hold.
    var cost: Int { Self.cost(edits: edits.count, points: points.count, names: names.count) }

    /// What the works of a batch take at most, all lanes together.
    static func highestCost(of batch: RecordBatch) -> Int {
        cost(edits: batch.edits.count, points: batch.points.count, names: batch.edits.count)
    }

    private static func cost(edits: Int, points: Int, names: Int) -> Int {
        edits * (MemoryLayout<Edit>.stride + 160) + points * (MemoryLayout<Point>.stride + 32) + names * 96
    }
}
