/// What one series must hold: a naive table to which edits are applied one after another.
///
/// What was deleted stays as a tombstone, so that a point that is there and should not be can be told by the fault under which it
/// was deleted.
struct Table {
    struct Cell: Equatable {
        /// Since 1970-01-01 UTC.
        var microseconds: Int64
        var value: Double
        /// The injection under which it was last written or deleted; 0 in calm times.
        var injection: Int32
        var isStored: Bool
    }

    /// Ascending by time.
    private(set) var cells: [Cell]

    /// - Parameter cells: in any order, each time once.
    init(cells: [Cell] = []) {
        self.cells = cells.sorted { $0.microseconds < $1.microseconds }
    }

    mutating func apply(_ edit: Edit, injection: Int) {
        let injection = Int32(injection)
        if let range = edit.replaced {
            var place = firstPlace(from: range.lowerBound)
            while place < cells.count, cells[place].microseconds <= range.upperBound {
                if cells[place].isStored {
                    cells[place].isStored = false
                    cells[place].injection = injection
                }
                place += 1
            }
        }
        for (index, point) in edit.points.enumerated() {
            // Of the same timestamp twice, the last counts.
            if edit.points[(index + 1)...].contains(where: { $0.microseconds == point.microseconds }) { continue }
            store(point, overwrites: edit.mode != .insert, injection)
        }
    }

    private mutating func store(_ point: Point, overwrites: Bool, _ injection: Int32) {
        let cell = Cell(microseconds: point.microseconds, value: point.value, injection: injection, isStored: true)
        let place = firstPlace(from: point.microseconds)
        if place < cells.count, cells[place].microseconds == point.microseconds {
            if cells[place].isStored, !overwrites { return }
            cells[place] = cell
        } else {
            cells.insert(cell, at: place)
        }
    }

    /// Index of the first cell that is not before the time.
    private func firstPlace(from microseconds: Int64) -> Int {
        guard let last = cells.last, last.microseconds >= microseconds else { return cells.count }
        var (low, high) = (0, cells.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if cells[middle].microseconds < microseconds { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
