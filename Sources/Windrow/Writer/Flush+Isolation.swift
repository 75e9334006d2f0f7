import LibPQ

// A flush that PostgreSQL refuses for what it contains (a CHECK constraint, a trigger that raises) is written again with
// savepoints: what is refused is halved until the single rows and ranges that are at fault stand alone. Those become dead letters
// and the rest is stored, still in one transaction with the position.

/// A row or range that PostgreSQL refuses.
struct RefusedItem: Sendable {
    enum Content: Sendable {
        case point(PendingPoint)
        /// With the points in it: together they are the edit that was meant.
        case range(TimeRange, [Point])
    }

    var series: SeriesID
    var content: Content
    var error: PostgresError

    /// The same whenever the same thing is refused: after a crash the points may come in other flushes.
    func origin(_ name: SeriesName?) -> String {
        let series = name.map { "\($0)" } ?? "series \(series.number)"
        return switch content {
        case .point(let point):
            "\(series) \(point.isDefinite ? "update" : "insert") \(point.timestamp.microseconds) \(point.value)"
        case .range(let range, _): "\(series) \(range.first.microseconds) to \(range.last.microseconds)"
        }
    }
}

extension Flush {
    /// As `run`, but leaves out what PostgreSQL refuses.
    /// - Parameter beforeCommit: is given the outcome and what was refused, and keeps the latter: when it throws, nothing is
    ///   committed.
    func runIsolating(
        _ windows: [(id: SeriesID, window: PendingWindow)], through position: JournalPosition,
        on connection: Connection,
        beforeCommit: (FlushOutcome, [RefusedItem]) throws -> Void
    ) throws -> FlushOutcome {
        var outcome = FlushOutcome()
        var refused: [RefusedItem] = []
        for (_, window) in windows { outcome.superseded += window.receivedCount - window.points.count }
        let ranges = windows.flatMap { id, window in window.deleted.ranges.map { (id: id, range: $0) } }
        let points = windows.flatMap { id, window in window.points.map { (id: id, point: $0) } }

        // A constraint that is deferred must fail where its row is, not at COMMIT.
        try connection.script("BEGIN; SET CONSTRAINTS ALL IMMEDIATE")
        do {
            try lock(ranges.map(\.id.number), connection)
            try bisect(ranges[...], connection) { part throws(PostgresError) in
                var columns = FlushPlan.Ranges()
                for (id, range) in part { columns.append(id, range) }
                outcome.deletions += try delete(columns, connection)
            } refuse: { item, error in
                let points = windows.first { $0.id == item.id }?.window.points.filter {
                    item.range.contains($0.timestamp)
                }
                let edit = (points ?? []).map { Point(timestamp: $0.timestamp, value: $0.value) }
                refused.append(RefusedItem(series: item.id, content: .range(item.range, edit), error: error))
            }
            try bisect(points[...], connection) { part throws(PostgresError) in
                var (definite, tentative) = (FlushPlan.Columns(), FlushPlan.Columns())
                for (id, point) in part {
                    if point.isDefinite { definite.append(id, point) } else { tentative.append(id, point) }
                }
                // Counted only if both statements succeed: the part is tried again in halves otherwise.
                var counted = outcome
                try merge(definite: definite, tentative: tentative, into: &counted, connection)
                outcome = counted
            } refuse: { item, error in
                refused.append(RefusedItem(series: item.id, content: .point(item.point), error: error))
                outcome.refused += 1
            }
            try advance(to: position, connection)
            try beforeCommit(outcome, refused)
            FaultPoint.deadLettersKept.pass()
            try connection.script("COMMIT")
        } catch {
            // A connection that cannot roll back is closed, which rolls back too.
            do { try connection.script("ROLLBACK") } catch { connection.close() }
            throw error
        }
        return outcome
    }

    private func bisect<Item>(
        _ items: ArraySlice<Item>, _ connection: Connection, attempt: (ArraySlice<Item>) throws(PostgresError) -> Void,
        refuse: (Item, PostgresError) -> Void
    ) throws(PostgresError) {
        guard let first = items.first else { return }
        try connection.script("SAVEPOINT part")
        do throws(PostgresError) {
            try attempt(items)
            try connection.script("RELEASE part")
        } catch {
            guard error.verdict == .reject else { throw error }
            try connection.script("ROLLBACK TO part; RELEASE part")
            if items.count == 1 {
                refuse(first, error)
                return
            }
            let middle = items.startIndex + items.count / 2
            try bisect(items[..<middle], connection, attempt: attempt, refuse: refuse)
            try bisect(items[middle...], connection, attempt: attempt, refuse: refuse)
        }
    }
}
