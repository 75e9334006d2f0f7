import LibPQ

// Which way each pending point goes.
//
// COPY straight into the table is the fast way and cannot handle a conflict. It takes the points that cannot meet a stored one:
// those newer than the series' newest stored point, those inside a range that the same flush deletes, and the tentative ones of the
// rest for which no row is found. What is definite of the rest is merged by INSERT … ON CONFLICT; but where most of it is expected to
// overwrite, plain UPDATE goes first: it locks and logs each row once, not twice.
//
// Others write too. A point that they store after the plan, or after the look, makes the COPY conflict, and the flush is then done
// again with everything merged; too new a "newest" only sends a point the slower way.

/// The newest stored point of a series, as far as this lane knows.
enum Newest: Sendable {
    /// The series has no point.
    case empty
    case at(Timestamp)
}

/// A lane's pending windows, laid out as the parameters of the statements that write them. Sorted by series, then by time.
struct FlushPlan: ~Copyable {
    /// Columns of points for a merge.
    struct Columns {
        var series: [Int32] = []
        var timestamps: [Int64] = []
        var values: [Double] = []

        mutating func append(_ id: SeriesID, _ point: PendingPoint) {
            series.append(id.number)
            timestamps.append(point.timestamp.microseconds)
            values.append(point.value)
        }

        var isEmpty: Bool { series.isEmpty }
        var keys: [Parameter] { [.int4Array(series), .timestamptzArray(timestamps)] }
        var parameters: [Parameter] { keys + [.float8Array(values)] }

        /// Without the places, in any order.
        func removing(_ places: [Int]) -> Columns {
            var rest = Columns()
            if places.count == series.count { return rest }
            var isGone = [Bool](repeating: false, count: series.count)
            for place in places { isGone[place] = true }
            for place in series.indices where !isGone[place] {
                rest.series.append(series[place])
                rest.timestamps.append(timestamps[place])
                rest.values.append(values[place])
            }
            return rest
        }
    }

    /// Ranges to delete, one a place in the three arrays.
    struct Ranges {
        var series: [Int32] = []
        var first: [Int64] = []
        var last: [Int64] = []

        mutating func append(_ id: SeriesID, _ range: TimeRange) {
            series.append(id.number)
            first.append(range.first.microseconds)
            last.append(range.last.microseconds)
        }
    }

    private(set) var deletes = Ranges()
    private(set) var copy: CopyBuffer
    /// Overwrite what is stored.
    private(set) var definite = Columns()
    /// Yield to what is stored.
    private(set) var tentative = Columns()

    /// - Parameters:
    ///   - windows: settled, ascending by series.
    ///   - newest: nil merges everything.
    init(_ windows: [(id: SeriesID, window: PendingWindow)], newest: [SeriesID: Newest]?) {
        copy = CopyBuffer(capacity: newest == nil ? 0 : windows.reduce(0) { $0 + $1.window.points.count })
        for (id, window) in windows {
            for range in window.deleted.ranges { deletes.append(id, range) }
            let points = window.points
            let firstNew = newest == nil ? points.count : Self.firstNewer(than: newest?[id], in: window)
            for point in points[..<firstNew] {
                if newest != nil, !window.deleted.isEmpty, window.deleted.contains(point.timestamp) {
                    copy.appendPoint(series: id.number, microseconds: point.timestamp.microseconds, value: point.value)
                } else if point.isDefinite {
                    definite.append(id, point)
                } else {
                    tentative.append(id, point)
                }
            }
            for point in points[firstNew...] {
                copy.appendPoint(series: id.number, microseconds: point.timestamp.microseconds, value: point.value)
            }
        }
    }

    /// Forgets definite points that are written.
    mutating func removeDefinite(at places: [Int]) {
        definite = definite.removing(places)
    }

    /// Has tentative points copied, but for those that a row was found for.
    mutating func copyTentative(exceptAt found: [Int]) {
        let missing = tentative.removing(found)
        for place in missing.series.indices {
            copy.appendPoint(
                series: missing.series[place], microseconds: missing.timestamps[place], value: missing.values[place])
        }
        tentative = Columns()
    }

    /// - Parameter newest: nil when it is not known.
    private static func firstNewer(than newest: Newest?, in window: PendingWindow) -> Int {
        switch newest {
        case .empty: 0
        case .at(let newest): window.firstPoint { $0 > newest }
        case nil: window.points.count
        }
    }
}
