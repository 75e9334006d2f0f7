import Testing

@testable import WindrowChaos

@Suite struct TableTests {
    private static let name = SeriesName(node: .id(1), tag: "t")

    private func edit(_ mode: Mode, _ points: [(Int64, Double)], window: ClosedRange<Int64>? = nil) -> Edit {
        Edit(
            series: Self.name, mode: mode, points: points.map { Point(microseconds: $0.0, value: $0.1) }, window: window
        )
    }

    private func stored(_ table: Table) -> [Int64: Double] {
        Dictionary(uniqueKeysWithValues: table.cells.filter(\.isStored).map { ($0.microseconds, $0.value) })
    }

    @Test("an insert leaves a point as it is, an update does not, a replacement deletes its range, ends included")
    func modes() {
        var table = Table()
        table.apply(edit(.insert, [(10, 1), (20, 2), (30, 3)]), injection: 0)
        table.apply(edit(.insert, [(20, 9), (25, 4)]), injection: 0)
        #expect(stored(table) == [10: 1, 20: 2, 25: 4, 30: 3])
        table.apply(edit(.update, [(20, 5), (40, 6)]), injection: 0)
        #expect(stored(table) == [10: 1, 20: 5, 25: 4, 30: 3, 40: 6])
        table.apply(edit(.replace, [(20, 7), (30, 8)]), injection: 0)
        #expect(stored(table) == [10: 1, 20: 7, 30: 8, 40: 6])
        table.apply(edit(.replace, [], window: 10...30), injection: 0)
        #expect(stored(table) == [40: 6])
        table.apply(edit(.insert, [(20, 1)]), injection: 0)
        #expect(stored(table) == [20: 1, 40: 6])
    }

    @Test("of the same timestamp twice in one edit, the last one counts", arguments: Mode.allCases)
    func twice(_ mode: Mode) {
        var table = Table()
        table.apply(edit(mode, [(10, 1), (20, 2), (10, 3)]), injection: 0)
        #expect(stored(table) == [10: 3, 20: 2])
    }

    @Test("each point has the injection under which it was last written or deleted")
    func injections() {
        var table = Table()
        table.apply(edit(.insert, [(10, 1), (20, 2), (30, 3)]), injection: 1)
        table.apply(edit(.insert, [(10, 9)]), injection: 2)
        table.apply(edit(.replace, [], window: 20...30), injection: 3)
        table.apply(edit(.insert, [(30, 4)]), injection: 4)
        #expect(table.cells.map(\.injection) == [1, 3, 4])
        #expect(table.cells.map(\.isStored) == [true, false, true])
    }

    @Test("a suffix of the edits, applied once more, changes nothing", arguments: 1...20 as ClosedRange<UInt64>)
    func suffix(seed: UInt64) {
        var generator = Generator(seed: seed)
        var plan = SeriesPlan(name: Self.name, client: 0)
        let edits = (0..<300).map { number in
            plan.next(
                Mode.allCases[generator.int(0...2)], poisonNumber: number % 50 == 7 ? number : nil, &generator)
        }
        var table = Table()
        // The same once more, with no order to keep: what the table is checked against.
        var naive: [Int64: Double] = [:]
        for edit in edits {
            table.apply(edit, injection: 0)
            if let range = edit.replaced { naive = naive.filter { !range.contains($0.key) } }
            let last = Dictionary(edit.points.map { ($0.microseconds, $0.value) }) { $1 }
            naive.merge(last) { edit.mode == .insert ? $0 : $1 }
        }
        #expect(stored(table) == naive, "seed \(seed)")
        for edit in edits.suffix(generator.int(1...100)) { table.apply(edit, injection: 0) }
        #expect(stored(table) == naive, "seed \(seed)")
    }
}
