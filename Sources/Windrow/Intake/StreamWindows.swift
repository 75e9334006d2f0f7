// Stream windows: `overwrite: replace_window` stated by a subscription.
//
// A series' window opens at a message's first point, and each later message extends it: everything that the series had in
// (previous last, new last] is replaced. The next message opens a new window when a message goes back in time, when the gap since
// the last point exceeds `maxGap`, when the window would span more than `maxSpan`, or when anyone else has edited the series.
// All of it speaks of event time and of the order of acceptance, never of the clock. A restart forgets the open windows.

/// The open stream windows of a domain, and the ranges that they give to stream edits.
struct StreamWindows: Sendable {
    private struct Window {
        var stream: Int32
        var first: Timestamp
        var last: Timestamp
    }

    private var open: [SeriesName: Window] = [:]
    /// Keys of `open` whose node is a UUID of which the number is not known yet.
    private var unresolved: Set<SeriesName> = []
    /// What has changed since the last `commit()`, for `revert()`.
    private var undo: [(name: SeriesName, before: Window?)] = []

    /// Turns the batch's stream edits into replace edits, and ends the windows of series that other edits touch.
    /// - Parameter nodeID: the number of a node that was named by UUID, if it is known: either names the node, and both
    ///   must find the same window.
    mutating func settle(_ batch: inout RecordBatch, nodeID: (NodeUUID) -> NodeID?) {
        var names: [SeriesName?] = Array(repeating: nil, count: batch.series.count)
        for place in batch.edits.indices {
            let edit = batch.edits[place]
            if open.isEmpty, edit.rule == nil { continue }
            let series = Int(edit.series)
            let name = names[series] ?? canonical(batch.series[series], nodeID)
            names[series] = name
            endAliases(of: name)
            if let rule = edit.rule {
                batch.edits[place].action = .replace(extend(name, by: batch.points[edit.points], rule))
            } else {
                set(name, nil)
            }
        }
    }

    /// The batches settled since the last commit are accepted.
    mutating func commit() {
        undo.removeAll(keepingCapacity: true)
    }

    /// Takes back what has been settled since the last commit: it was not accepted.
    mutating func revert() {
        let changes = undo
        for change in changes.reversed() { set(change.name, change.before) }
        undo.removeAll()
    }

    private mutating func extend(_ name: SeriesName, by points: ArraySlice<Point>, _ rule: StreamRule) -> TimeRange {
        guard let first = points.first?.timestamp, let last = points.last?.timestamp else {
            preconditionFailure("a stream edit has at least one point")
        }
        if let window = open[name], window.stream == rule.stream, first > window.last,
            first.microseconds - window.last.microseconds <= rule.maxGap,
            last.microseconds - window.first.microseconds <= rule.maxSpan
        {
            set(name, Window(stream: rule.stream, first: window.first, last: last))
            return TimeRange(first: Timestamp(microseconds: window.last.microseconds + 1), last: last)
        }
        set(name, Window(stream: rule.stream, first: first, last: last))
        return TimeRange(first: first, last: last)
    }

    /// The name under which the series' window is kept: by number where that is known.
    private mutating func canonical(_ name: SeriesName, _ nodeID: (NodeUUID) -> NodeID?) -> SeriesName {
        guard case .uuid(let uuid) = name.node, let id = nodeID(uuid) else { return name }
        let canonical = SeriesName(node: .id(id), tag: name.tag)
        // The node's number has become known while its window was open.
        if unresolved.contains(name), let window = open[name] {
            set(name, nil)
            if open[canonical] == nil { set(canonical, window) }
        }
        return canonical
    }

    /// While a UUID's number is not known it may be any node's: an edit under one kind of name ends the windows that are open for
    /// the same tag under the other kind.
    private mutating func endAliases(of name: SeriesName) {
        switch name.node {
        case .id:
            if unresolved.isEmpty { return }
            for alias in unresolved where alias.tag == name.tag { set(alias, nil) }
        case .uuid:
            for alias in open.keys where alias.tag == name.tag && !unresolved.contains(alias) { set(alias, nil) }
        }
    }

    private mutating func set(_ name: SeriesName, _ window: Window?) {
        let before = open.updateValueOrRemove(window, forKey: name)
        if window == nil, before == nil { return }
        undo.append((name, before))
        if case .uuid = name.node {
            if window == nil { unresolved.remove(name) } else { unresolved.insert(name) }
        }
    }
}

extension Edit {
    fileprivate var rule: StreamRule? {
        if case .stream(let rule) = action { rule } else { nil }
    }
}

extension Dictionary {
    /// Sets or removes; returns what was there.
    fileprivate mutating func updateValueOrRemove(_ value: Value?, forKey key: Key) -> Value? {
        if let value { updateValue(value, forKey: key) } else { removeValue(forKey: key) }
    }
}
