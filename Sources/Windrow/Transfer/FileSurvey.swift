/// What reading an input through tells before anything is written: its series with their windows, and whether all lines can be read.
struct FileSurvey: Sendable {
    /// What the input has of a series.
    struct Extent: Sendable {
        var points = 0
        /// From the first to the last point.
        var range: TimeRange?
        /// Of the points that do not state their own window.
        var window: TimeRange?
        /// Where the first line begins that belongs to `window`, in the input.
        var opensAt = 0
    }

    /// By the series' number in the input.
    private(set) var extents: [Extent] = []
    private(set) var points = 0
    private(set) var lines = 0

    mutating func add(_ block: ParsedBlock) {
        points += block.pointCount
        lines = block.lines
        for edit in block.edits {
            let place = Int(edit.series)
            if place >= extents.count {
                extents += repeatElement(Extent(), count: place + 1 - extents.count)
            }
            extents[place].points += edit.points.count
            for point in block.points[edit.points] {
                extents[place].range = Self.widen(extents[place].range, to: point.timestamp)
            }
            guard edit.isOfFile else { continue }
            if extents[place].window == nil { extents[place].opensAt = block.text.start + edit.row }
            for point in block.points[edit.points] {
                extents[place].window = Self.widen(extents[place].window, to: point.timestamp)
            }
        }
    }

    private static func widen(_ range: TimeRange?, to timestamp: Timestamp) -> TimeRange {
        guard let range else { return TimeRange(first: timestamp, last: timestamp) }
        return TimeRange(first: min(range.first, timestamp), last: max(range.last, timestamp))
    }
}

/// The windows that an import of the mode `replace_window` opens. Each is deleted in the transaction that stores the first points of
/// its series; from there on the points are updates.
struct FileWindows {
    private struct Window {
        var range: TimeRange
        /// Where the series' first line begins.
        var opensAt: Int
        var isOpen: Bool
    }

    private var windows: [SeriesID: Window] = [:]

    init() {}

    /// - Parameters:
    ///   - ids: of the survey's series; nil for one that is refused.
    ///   - committed: up to where the lane of a series has committed.
    init(_ survey: FileSurvey, _ ids: [SeriesID?], committed: (SeriesID) -> JournalPosition) {
        for (place, extent) in survey.extents.enumerated() {
            guard let own = extent.window, let id = ids[place] else { continue }
            // A node may be named by its number and by its UUID.
            var window = windows[id] ?? Window(range: own, opensAt: extent.opensAt, isOpen: false)
            window.range = TimeRange(
                first: min(window.range.first, own.first), last: max(window.range.last, own.last))
            window.opensAt = min(window.opensAt, extent.opensAt)
            windows[id] = window
        }
        for (id, window) in windows {
            windows[id]?.isOpen = Int64(window.opensAt) < committed(id).number
        }
    }

    var ranges: [(id: SeriesID, range: TimeRange)] { windows.map { ($0.key, $0.value.range) } }

    /// What an edit of the series becomes whose window is that of the file.
    mutating func action(for id: SeriesID) -> EditAction {
        guard let window = windows[id], !window.isOpen else { return .update }
        windows[id]?.isOpen = true
        return .replace(window.range)
    }
}
