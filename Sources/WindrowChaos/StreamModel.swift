/// What may be in PostgreSQL of the series of a stream.
///
/// Each message replaces (previous last, new last]; only after a start of the daemon does a message open a new window, and then the
/// old points in the gap before it survive. Which gaps these are depends on the moment of the start, so the model says how many.
struct StreamModel {
    private struct Sent {
        var first: Int64
        var last: Int64
        var injection: Int32
    }

    let series: [SeriesName]
    private let oldPoints: [Point]
    private var messages: [[Sent]]
    private var tables: [Table]

    init(_ plan: StreamPlan) {
        series = plan.series
        oldPoints = plan.oldPoints
        messages = Array(repeating: [], count: plan.series.count)
        tables = Array(repeating: Table(), count: plan.series.count)
    }

    mutating func apply(_ message: StreamPlan.Message, injection: Int) {
        guard let first = message.points.first, let last = message.points.last else { return }
        messages[message.series].append(
            Sent(first: first.microseconds, last: last.microseconds, injection: Int32(injection)))
        tables[message.series].apply(
            Edit(series: series[message.series], mode: .update, points: message.points), injection: injection)
    }

    /// The table of a series, old points included.
    /// - Parameters:
    ///   - stored: what PostgreSQL has.
    ///   - starts: of the daemon.
    ///   - excused: an injection under which messages may be lost.
    /// - Returns: also what is wrong beyond single points.
    func expected(_ place: Int, stored: [Point], starts: Int, excused: Int? = nil) -> (table: Table, complaint: String?)
    {
        var table = Table()
        let found = Set(stored.filter { $0.value == StreamPlan.oldValue }.map(\.microseconds))
        var next = 0
        let sent = messages[place]
        var survivors: [Int: (there: Int, gone: Int)] = [:]
        var kept: [(points: [Point], injection: Int32)] = []
        for point in oldPoints {
            while next < sent.count, sent[next].last < point.microseconds { next += 1 }
            if next == sent.count {
                // After the end of the stream.
                kept.append(([point], 0))
            } else if point.microseconds >= sent[next].first || Int(sent[next].injection) == excused {
                kept.append(([], sent[next].injection))
                mark(point, deletedUnder: sent[next].injection, &table)
            } else {
                let isThere = found.contains(point.microseconds)
                if isThere {
                    survivors[next, default: (0, 0)].there += 1
                } else {
                    survivors[next, default: (0, 0)].gone += 1
                }
                let isAllowed = isThere && survivors.count { $0.value.there > 0 } <= starts - 1
                if isAllowed {
                    kept.append(([point], sent[next].injection))
                } else {
                    mark(point, deletedUnder: sent[next].injection, &table)
                }
            }
        }
        for (points, injection) in kept where !points.isEmpty {
            table.apply(Edit(series: series[place], mode: .insert, points: points), injection: Int(injection))
        }
        for cell in tables[place].cells {
            table.apply(
                Edit(
                    series: series[place], mode: .update,
                    points: [Point(microseconds: cell.microseconds, value: cell.value)]),
                injection: Int(cell.injection))
        }
        let gaps = survivors.filter { $0.value.there > 0 }
        if gaps.contains(where: { $0.value.gone > 0 }) {
            return (table, "a gap of stream \(series[place]) was replaced in part")
        }
        return gaps.count > starts - 1
            ? (
                table,
                "\(gaps.count) gaps of stream \(series[place]) kept old points, after \(starts) starts of the daemon"
            )
            : (table, nil)
    }

    /// Leaves a tombstone.
    private func mark(_ point: Point, deletedUnder injection: Int32, _ table: inout Table) {
        let time = point.microseconds
        let name = series[0]
        table.apply(Edit(series: name, mode: .insert, points: [point]), injection: Int(injection))
        table.apply(Edit(series: name, mode: .replace, points: [], window: time...time), injection: Int(injection))
    }
}
