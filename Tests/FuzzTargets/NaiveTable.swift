@testable import Windrow

/// The model that everything is compared with: a table in memory to which edits are applied one by one, as `design` states them.
struct NaiveTable: Equatable {
    private(set) var rows: [SeriesName: [Timestamp: Double]] = [:]

    mutating func apply(_ action: EditAction, _ points: some Sequence<Point>, to name: SeriesName) {
        var series = rows[name] ?? [:]
        switch action {
        case .insert:
            for point in points where series[point.timestamp] == nil { series[point.timestamp] = point.value }
        case .update:
            for point in points { series[point.timestamp] = point.value }
        case .replace(let range):
            series = series.filter { !range.contains($0.key) }
            for point in points { series[point.timestamp] = point.value }
        case .stream:
            preconditionFailure("ranges are settled")
        }
        rows[name] = series.isEmpty ? nil : series
    }

    mutating func apply(_ batch: RecordBatch) {
        for edit in batch.edits { apply(edit.action, batch.points[edit.points], to: batch.series[Int(edit.series)]) }
    }

    /// What a flush of the pending window does to the table.
    mutating func flush(_ window: PendingWindow, of name: SeriesName) {
        var series = rows[name] ?? [:]
        for range in window.deleted.ranges { series = series.filter { !range.contains($0.key) } }
        for point in window.points where point.isDefinite || series[point.timestamp] == nil {
            series[point.timestamp] = point.value
        }
        rows[name] = series.isEmpty ? nil : series
    }
}
