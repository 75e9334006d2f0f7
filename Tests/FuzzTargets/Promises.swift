@testable import Windrow

// What holds of every record, whichever way it came.

extension Rejection {
    /// It says something, and points into the document, if anywhere.
    func check(in json: NaiveJSON?) throws(Violation) {
        try FuzzTargets.check(!detail.isEmpty, "a rejection says nothing")
        guard let pointer else { return }
        guard let json else { throw Violation("\(pointer) points into what is no JSON (\(self))") }
        try FuzzTargets.check(json.value(at: pointer) != nil, "\(pointer) points to nothing (\(self))")
    }

    /// Whether it says that the bytes are no JSON, or none that is read at all.
    var saysNoJSON: Bool {
        switch reason {
        case .malformedJSON, .invalidUTF8, .emptyPayload, .tooDeep: true
        // A number that is none is a bad value, at a byte of the document.
        case .badValue: pointer == nil
        default: false
        }
    }
}

extension RecordBatch {
    /// Its edits are places in its arrays, and their points are finite, in range and ascend strictly.
    func checkPoints() throws(Violation) {
        var next = 0
        for edit in edits {
            try check(series.indices.contains(Int(edit.series)), "an edit of no series")
            try check(edit.points.lowerBound == next && edit.points.upperBound <= points.count, "points out of place")
            next = edit.points.upperBound
            let points = points[edit.points]
            for (earlier, later) in zip(points, points.dropFirst()) {
                try check(earlier.timestamp < later.timestamp, "points do not ascend")
            }
            for point in points {
                try check(point.value.isFinite, "a value is not finite")
                try check(point.timestamp >= .earliest && point.timestamp <= .latest, "a timestamp is out of range")
                guard case .replace(let range) = edit.action else { continue }
                try check(range.contains(point.timestamp), "a point lies outside the range that it replaces")
            }
        }
        try check(next == points.count, "points of no edit")
    }

    /// What decoders make names each series once, and can be settled, journaled and folded.
    func checkAcceptance() throws(Violation) {
        try check(Set(series).count == series.count, "a series is named twice")
        var settled = self
        var streams = StreamWindows()
        streams.settle(&settled) { _ in nil }
        try settled.checkJournalAndFold()
    }

    /// The journal gives back what it was given, and the fold has the effect of the edits one after another.
    func checkJournalAndFold() throws(Violation) {
        try checkPoints()
        let encoded = encoded()
        let result = encoded.withUnsafeBytes { bytes in
            Result { () throws(DecodingError) in try RecordBatch(encoded: bytes) }
        }
        switch result {
        case .success(let decoded):
            try check(
                decoded == self && decoded.recordCount == recordCount, "a batch comes back different from the journal")
        case .failure(let error): throw Violation("the journal refuses what it was given: \(error)")
        }
        try checkFold()
    }

    /// One flush of the folded edits makes the same table as the edits one by one, from points that were there before.
    func checkFold() throws(Violation) {
        var expected = NaiveTable()
        for (place, edit) in edits.enumerated() where place % 3 == 0 {
            expected.apply(.insert, points[edit.points].prefix(1), to: series[Int(edit.series)])
        }
        var table = expected
        expected.apply(self)
        var windows: [SeriesName: PendingWindow] = [:]
        for edit in edits {
            windows[series[Int(edit.series)], default: PendingWindow()].fold(edit.action, points[edit.points])
        }
        for (name, window) in windows {
            var window = window
            window.settle()
            for (earlier, later) in zip(window.points, window.points.dropFirst()) {
                try check(earlier.timestamp < later.timestamp, "pending points do not ascend")
            }
            table.flush(window, of: name)
        }
        try check(table == expected, "a flush of what was folded makes another table than its edits")
    }
}

extension Point {
    /// Also tells 0 from -0.
    func isSame(as other: Point) -> Bool {
        timestamp == other.timestamp && value.bitPattern == other.value.bitPattern
    }
}
