/// Records on their way through the pipeline, in the order of acceptance.
///
/// Flat arrays instead of objects: a batch of thousands of one-point messages costs a handful of allocations, is encoded for the
/// journal by copying memory, and is handed from thread to thread by reference.
public struct RecordBatch: Equatable, Sendable {
    /// Each series that the batch names, once.
    public private(set) var series: [SeriesName] = []
    public internal(set) var edits: [Edit] = []
    public private(set) var points: [Point] = []
    /// Records, that is messages or requests, in the batch.
    public private(set) var recordCount = 0
    /// Points that a later one at the same timestamp of the same edit superseded; they are no longer in `points`.
    public private(set) var supersededCount = 0

    private var seriesIndex: [SeriesName: Int32] = [:]
    private var startsRecord = false

    public init() {}

    /// An empty batch with room for as much as another one holds.
    init(sizedAs other: RecordBatch) {
        series.reserveCapacity(other.series.count)
        edits.reserveCapacity(other.edits.count)
        points.reserveCapacity(other.points.count)
        seriesIndex.reserveCapacity(other.series.count)
    }

    /// A batch read back from the journal.
    init(series: [SeriesName], edits: [Edit], points: [Point]) {
        self.series = series
        self.edits = edits
        self.points = points
        recordCount = edits.count { $0.startsRecord }
    }

    public var isEmpty: Bool { edits.isEmpty }

    /// What the batch costs in memory, roughly, in bytes.
    public var byteCount: Int {
        series.count * 96 + edits.count * MemoryLayout<Edit>.stride + points.count * MemoryLayout<Point>.stride
    }

    /// Begins a record: the edits that follow belong to it.
    public mutating func beginRecord() {
        startsRecord = true
    }

    /// Adds an edit of the current record. The points may come in any order; of several at one timestamp the last one counts.
    public mutating func append(_ action: EditAction, to name: SeriesName, points edited: some Collection<Point>) {
        let first = points.count
        points.append(contentsOf: edited)
        supersededCount += points.sortLastOfEach(from: first)
        edits.append(
            Edit(
                series: index(of: name), action: action, firstPoint: Int32(first),
                pointCount: Int32(points.count - first),
                startsRecord: startsRecord))
        if startsRecord { recordCount += 1 }
        startsRecord = false
    }

    /// The places in `edits` of each record.
    var records: [Range<Int>] {
        var starts = edits.indices.filter { edits[$0].startsRecord }
        starts.append(edits.count)
        return zip(starts, starts.dropFirst()).map { $0..<$1 }
    }

    private mutating func index(of name: SeriesName) -> Int32 {
        if let known = seriesIndex[name] { return known }
        let new = Int32(series.count)
        series.append(name)
        seriesIndex[name] = new
        return new
    }

    public static func == (a: RecordBatch, b: RecordBatch) -> Bool {
        a.series == b.series && a.edits == b.edits && a.points == b.points
    }
}
