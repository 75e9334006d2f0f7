import Testing

@testable import FuzzTargets
@testable import Windrow

private let name = SeriesName(node: .id(NodeID(1)!), tag: Tag(unchecked: "t"))

private func point(_ time: Int64, _ value: Double) -> Point {
    Point(timestamp: Timestamp(microseconds: time), value: value)
}

private func range(_ first: Int64, _ last: Int64) -> TimeRange {
    TimeRange(first: Timestamp(microseconds: first), last: Timestamp(microseconds: last))
}

private func fold(_ edits: [(EditAction, [Point])]) -> PendingWindow {
    var window = PendingWindow()
    for (action, points) in edits { window.fold(action, points[...]) }
    window.settle()
    return window
}

@Suite struct PendingWindowTests {
    @Test("an insert yields to a stored point, and the first of two inserts counts")
    func insertIsTentative() {
        let window = fold([(.insert, [point(1, 10)]), (.insert, [point(1, 11), point(2, 20)])])
        #expect(window.points.map(\.value) == [10, 20])
        #expect(window.points.allSatisfy { !$0.isDefinite })
        #expect(window.deleted.isEmpty)
        #expect(window.receivedCount == 3)
    }

    @Test("an insert into a range that is deleted wins over what the database held there")
    func insertIntoDeletedRange() {
        let window = fold([(.replace(range(1, 5)), []), (.insert, [point(3, 30), point(9, 90)])])
        #expect(window.points.map(\.isDefinite) == [true, false])
    }

    @Test("an insert yields to a pending point inside a deleted range")
    func insertYieldsToPendingInDeletedRange() {
        let window = fold([(.replace(range(1, 5)), [point(3, 30)]), (.insert, [point(3, 31)])])
        #expect(window.points.map(\.value) == [30])
    }

    @Test("an update wins over pending and stored points, whatever comes later as an insert")
    func updateIsDefinite() {
        let window = fold([(.insert, [point(1, 10)]), (.update, [point(1, 11)]), (.insert, [point(1, 12)])])
        #expect(window.points.map(\.value) == [11])
        #expect(window.points.map(\.isDefinite) == [true])
    }

    @Test("a replace forgets the pending points of its range, both ends included, and no others")
    func replaceForgets() {
        let before = (1...5).map { point($0, Double($0)) }
        let window = fold([(.update, before), (.replace(range(2, 4)), [point(3, 33)])])
        #expect(window.points.map(\.value) == [1, 33, 5])
        #expect(window.deleted.ranges == [range(2, 4)])
    }

    @Test("edits that come late in time are sorted in")
    func lateEdits() {
        let window = fold([
            (.insert, [point(5, 5)]), (.update, [point(2, 2)]), (.insert, [point(2, 3), point(4, 4)]),
            (.update, [point(5, 6)]),
        ])
        #expect(window.points.map(\.timestamp.microseconds) == [2, 4, 5])
        #expect(window.points.map(\.value) == [2, 4, 6])
    }

    // The two laws. Each seed is a few edits, cut into flushes in a random way.

    @Test("any cut of the same edits into flushes gives the same table")
    func firstLaw() {
        for seed in UInt64(0)..<30_000 {
            var random = RandomEdits(seed: seed)
            let edits = (0..<Int.random(in: 1...8, using: &random.generator)).map { _ in random.edit() }
            var expected = NaiveTable()
            expected.apply(.update, random.points(in: 0...12, atMost: 6), to: name)
            var flushed = expected

            var window = PendingWindow()
            for (action, points) in edits {
                expected.apply(action, points, to: name)
                window.fold(action, points[...])
                if Bool.random(using: &random.generator) {
                    window.settle()
                    flushed.flush(window, of: name)
                    window = PendingWindow()
                }
            }
            window.settle()
            flushed.flush(window, of: name)
            #expect(flushed == expected, "seed \(seed): \(edits)")
            if flushed != expected { return }
        }
    }

    @Test("replaying a suffix of the journal changes nothing")
    func secondLaw() {
        for seed in UInt64(0)..<30_000 {
            var random = RandomEdits(seed: seed)
            let edits = (0..<Int.random(in: 1...8, using: &random.generator)).map { _ in random.edit() }
            var expected = NaiveTable()
            expected.apply(.update, random.points(in: 0...12, atMost: 6), to: name)
            for (action, points) in edits { expected.apply(action, points, to: name) }

            var replayed = expected
            var window = PendingWindow()
            for (action, points) in edits[Int.random(in: 0..<edits.count, using: &random.generator)...] {
                window.fold(action, points[...])
            }
            window.settle()
            replayed.flush(window, of: name)
            #expect(replayed == expected, "seed \(seed): \(edits)")
            if replayed != expected { return }
        }
    }
}

@Suite struct TimeRangeSetTests {
    @Test("ranges that overlap or touch become one, and contain what their parts contained")
    func union() {
        for seed in UInt64(0)..<5_000 {
            var generator = SeededGenerator(seed: seed)
            var set = TimeRangeSet()
            var naive: Set<Int64> = []
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let first = Int64.random(in: 0..<40, using: &generator)
                let last = first + Int64.random(in: 0..<8, using: &generator)
                set.insert(range(first, last))
                naive.formUnion(first...last)
            }
            for time in Int64(-1)...50 {
                #expect(
                    set.contains(Timestamp(microseconds: time)) == naive.contains(time), "seed \(seed), time \(time)")
            }
            for (a, b) in zip(set.ranges, set.ranges.dropFirst()) {
                #expect(a.last.microseconds + 1 < b.first.microseconds, "seed \(seed): \(set.ranges)")
            }
        }
    }
}
