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
    func expected(
        _ place: Int, stored: [Point], starts: Int, excused: Int? = nil
    ) -> (table: Table, complaint: String?) {
        let found = Set(stored.filter { $0.value == StreamPlan.oldValue }.map(\.microseconds))
        let sent = messages[place]
        var cells = tables[place].cells
        // Gaps, by the message behind them.
        var (whole, emptied): (Set<Int>, Set<Int>) = ([], [])
        var next = 0
        for point in oldPoints {
            while next < sent.count, sent[next].last < point.microseconds { next += 1 }
            let message = next < sent.count ? sent[next] : nil
            // Past the end of the stream nothing is touched.
            var isStored = message == nil
            if let message, point.microseconds < message.first, Int(message.injection) != excused {
                if found.contains(point.microseconds) { whole.insert(next) } else { emptied.insert(next) }
                isStored = whole.contains(next) && whole.count < starts
            }
            cells.append(
                Table.Cell(
                    microseconds: point.microseconds, value: point.value, injection: message?.injection ?? 0,
                    isStored: isStored))
        }
        var complaint: String?
        if !whole.isDisjoint(with: emptied) {
            complaint = "a gap of stream \(series[place]) was replaced in part"
        } else if whole.count >= starts {
            complaint =
                "\(whole.count) gaps of stream \(series[place]) kept old points, after \(starts) starts of the daemon"
        }
        return (Table(cells: cells), complaint)
    }
}
