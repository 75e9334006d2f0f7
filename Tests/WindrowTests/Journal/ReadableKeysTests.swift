import Testing

@testable import Windrow

@Suite struct ReadableKeysTests {
    /// A table of keys without gaps, of which pages are damaged; counts the lookups.
    private final class Table {
        let keys: ClosedRange<Int64>
        let damaged: [ClosedRange<Int64>]
        var lookups = 0

        init(_ keys: ClosedRange<Int64>, damaged: [ClosedRange<Int64>]) {
            self.keys = keys
            self.damaged = damaged
        }

        func lookup(_ wanted: Int64) -> ReadableKeys.Lookup {
            lookups += 1
            if damaged.contains(where: { $0.contains(min(wanted, keys.upperBound)) }) { return .damaged }
            // Below the first key a lookup goes to the first page.
            if wanted < keys.lowerBound {
                return damaged.contains { $0.contains(keys.lowerBound) } ? .damaged : .nothing
            }
            return .key(min(wanted, keys.upperBound))
        }
    }

    @Test("all keys outside damaged pages are found, however many pages are damaged near one another")
    func leaves() {
        let table = Table(1000...9000, damaged: [1500...1560, 1600...1633, 8950...9000])
        let keys = ReadableKeys(downFrom: 9000, table.lookup)
        let expected = (1000...9000).reversed().filter { key in !table.damaged.contains { $0.contains(key) } }
        #expect(keys.found == expected)
        #expect(keys.unreadable == 61 + 34 + 51)
        #expect(keys.lastUnreadable == 9000)
    }

    @Test("what lies below a large damaged part is found in few steps")
    func large() {
        let table = Table(1...50_000_000, damaged: [1_000_000...49_999_000])
        let keys = ReadableKeys(downFrom: 50_000_000, table.lookup)
        #expect(keys.found.count == 1000 + 999_999)
        #expect(keys.unreadable == 48_999_001)
        #expect(table.lookups < keys.found.count + 3000)
    }

    @Test("where the first page is damaged, it ends soon, and one key stands for those that nobody can count")
    func first() {
        let table = Table(90_000_000...90_001_000, damaged: [90_000_000...90_000_100])
        let keys = ReadableKeys(downFrom: 90_001_000, table.lookup)
        #expect(keys.found == Array((90_000_101...90_001_000).reversed()))
        #expect(keys.unreadable == 1)
        #expect(table.lookups < 5000)
        let all = Table(5...7, damaged: [5...7])
        let none = ReadableKeys(downFrom: 1_000_000, all.lookup)
        #expect(none.found.isEmpty && none.lastUnreadable == 1_000_000)
        #expect(all.lookups < 5000)
    }

    @Test("a table that is empty or sound is no damage")
    func sound() {
        #expect(ReadableKeys(downFrom: 100) { _ in .nothing }.lastUnreadable == nil)
        let keys = ReadableKeys(downFrom: 9, Table(3...9, damaged: []).lookup)
        #expect(keys.found == [9, 8, 7, 6, 5, 4, 3] && keys.unreadable == 0)
    }
}
