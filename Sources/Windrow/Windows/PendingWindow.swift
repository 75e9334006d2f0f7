// The fold: many edits of one series become one window whose flush has exactly the effect of the edits applied one after another.
//
// For the points that the database holds already, a pending window is a set of ranges to delete and, for each pending timestamp,
// a value that is either *definite* (it wins over a stored point) or *tentative* (it yields to one):
//
//   insert (t, v)          nothing if t is pending already; else definite if t lies in a deleted range, else tentative
//   update (t, v)          definite v at t
//   replace [a, b] with P  forget the pending points in [a, b]; delete [a, b]; each point of P definite
//
// Points are appended in the order of their edits and sorted only once, in `settle()`: the usual series only grows at its end and
// is never sorted at all.

/// A point of a pending window. Two words: the timestamp, shifted, shares its word with the two flags.
struct PendingPoint: Equatable, Sendable {
    private var word: Int64
    var value: Double

    /// `Timestamp.earliest ... .latest` needs 59 bits; the shift by two never overflows.
    init(_ point: Point, overridesPending: Bool, isDefinite: Bool) {
        word = point.timestamp.microseconds << 2 | (overridesPending ? 2 : 0) | (isDefinite ? 1 : 0)
        value = point.value
    }

    var timestamp: Timestamp { Timestamp(microseconds: word >> 2) }
    /// Wins over a point that the database holds at the same timestamp.
    var isDefinite: Bool { word & 1 != 0 }
    /// Wins over a point that is pending at the same timestamp.
    fileprivate var overridesPending: Bool { word & 2 != 0 }
}

/// A series' edits since its last flush, folded into one.
struct PendingWindow: Sendable {
    /// What the flush deletes before it stores anything.
    private(set) var deleted = TimeRangeSet()
    /// Points that were folded in, superseded ones included.
    private(set) var receivedCount = 0

    private var log: [PendingPoint] = []
    /// `log` ascends strictly: it has no timestamp twice and needs no sorting.
    private var isSettled = true

    /// The pending points, ascending, one a timestamp. Only after `settle()`.
    var points: [PendingPoint] {
        precondition(isSettled, "settle() comes before points")
        return log
    }

    /// Folds one edit in. Its points ascend strictly.
    mutating func fold(_ action: EditAction, _ points: ArraySlice<Point>) {
        receivedCount += points.count
        switch action {
        case .insert where deleted.isEmpty:
            append(points, overridesPending: false, isDefinite: false)
        case .insert:
            for point in points {
                append(PendingPoint(point, overridesPending: false, isDefinite: deleted.contains(point.timestamp)))
            }
        case .update:
            append(points, overridesPending: true, isDefinite: true)
        case .replace(let range):
            forget(range)
            deleted.insert(range)
            append(points, overridesPending: true, isDefinite: true)
        case .stream:
            preconditionFailure("acceptance settles the range of a stream edit before it is folded")
        }
    }

    /// Sorts by time and leaves one point a timestamp.
    mutating func settle() {
        if isSettled { return }
        // Swift's sort is not promised to be stable; the place in the log, which is the order of the edits, breaks ties.
        let order = log.indices.sorted { (log[$0].timestamp, $0) < (log[$1].timestamp, $1) }
        var settled: [PendingPoint] = []
        settled.reserveCapacity(order.count)
        for place in order {
            let point = log[place]
            if let last = settled.last, last.timestamp == point.timestamp {
                if point.overridesPending { settled[settled.count - 1] = point }
            } else {
                settled.append(point)
            }
        }
        log = settled
        isSettled = true
    }

    private mutating func append(_ points: ArraySlice<Point>, overridesPending: Bool, isDefinite: Bool) {
        guard let first = points.first else { return }
        if isSettled, log.last.map({ $0.timestamp < first.timestamp }) ?? true {
            // The usual case: newer than all that is pending.
            log.append(
                contentsOf: points.lazy.map {
                    PendingPoint($0, overridesPending: overridesPending, isDefinite: isDefinite)
                })
            return
        }
        for point in points {
            append(PendingPoint(point, overridesPending: overridesPending, isDefinite: isDefinite))
        }
    }

    private mutating func append(_ point: PendingPoint) {
        if isSettled, let last = log.last, point.timestamp <= last.timestamp {
            if point.timestamp == last.timestamp {
                if point.overridesPending { log[log.count - 1] = point }
                return
            }
            isSettled = false
        }
        log.append(point)
    }

    private mutating func forget(_ range: TimeRange) {
        if isSettled, let last = log.last, last.timestamp < range.first { return }
        log.removeAll { range.contains($0.timestamp) }
    }
}

extension PendingWindow {
    /// The pending points inside a range, after `settle()`.
    func count(in range: TimeRange) -> Int {
        firstPoint { $0 > range.last } - firstPoint { $0 >= range.first }
    }

    /// The place of the first pending point for which `isPast` holds, by bisection; the number of points if there is none.
    func firstPoint(where isPast: (Timestamp) -> Bool) -> Int {
        points.partitioningIndex { isPast($0.timestamp) }
    }
}
