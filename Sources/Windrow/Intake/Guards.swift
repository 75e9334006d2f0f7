/// Bounds on time, so that a wrong clock destroys no data.
struct Guards: Hashable, Sendable {
    /// `timestamps.oldest`.
    var oldest: Timestamp
    /// `storage.retention`; nil keeps everything. What is older would be dropped as soon as it is stored.
    var retention: CalendarInterval?
    /// `timestamps.newest`, as microseconds from now on.
    var newestAhead: Int64
    /// `replace.max_span`, in microseconds.
    var replaceMaxSpan: Int64

    /// The last moment that is accepted.
    func newest(at now: Timestamp) -> Timestamp {
        let (sum, overflow) = now.microseconds.addingReportingOverflow(newestAhead)
        return overflow ? .latest : min(Timestamp(microseconds: sum), .latest)
    }

    /// The first moment that is accepted.
    func oldest(at now: Timestamp) -> Timestamp {
        guard let retention else { return oldest }
        return max(oldest, now.advanced(by: -1, retention))
    }

    func admits(_ timestamp: Timestamp, at now: Timestamp) -> Bool {
        oldest(at: now) <= timestamp && timestamp <= newest(at: now)
    }

    /// Throws when the timestamp lies outside `oldest` … `newest`; `name` is what the payload calls it.
    func check(
        _ timestamp: Timestamp, at now: Timestamp, as name: String = "ts", pointer: @autoclosure () -> String
    ) throws(Rejection) {
        let oldestNow = oldest(at: now)
        if timestamp < oldestNow {
            throw Rejection(
                .timestampOutOfBounds,
                "\(name) \(timestamp) is before \(oldestNow), the oldest that is accepted "
                    + (oldestNow == oldest ? "(timestamps.oldest)" : "now (storage.retention)"),
                pointer: pointer())
        }
        if timestamp > newest(at: now) {
            throw Rejection(
                .timestampOutOfBounds,
                "\(name) \(timestamp) is after \(newest(at: now)), the newest that is accepted now (timestamps.newest)",
                pointer: pointer())
        }
    }

    /// Throws when a window that is to be replaced is longer than `replaceMaxSpan`.
    func check(window: TimeRange, pointer: @autoclosure () -> String) throws(Rejection) {
        guard window.span > replaceMaxSpan else { return }
        throw Rejection(
            .windowTooLong,
            "the window from \(window.first) to \(window.last) spans \(Self.text(ofSpan: window.span)); "
                + "no more than \(Self.text(ofSpan: replaceMaxSpan)) may be replaced at once (replace.max_span)",
            pointer: pointer())
    }

    /// Days, and the rest in seconds.
    private static func text(ofSpan microseconds: Int64) -> String {
        let day: Int64 = 86_400_000_000
        let days = microseconds / day
        let rest = microseconds % day
        let seconds = rest % 1_000_000 == 0 ? "\(rest / 1_000_000)s" : "\(Double(rest) / 1_000_000)s"
        if days == 0 { return seconds }
        return rest == 0 ? "\(days)d" : "\(days)d \(seconds)"
    }
}
