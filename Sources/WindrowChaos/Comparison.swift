/// What became of points.
struct Tally: Equatable {
    var stored = 0
    /// Expected, and not there.
    var lost = 0
    /// There with another value.
    var wrong = 0
    /// There, and not expected.
    var doubled = 0

    var isClean: Bool { lost == 0 && wrong == 0 && doubled == 0 }

    static func += (left: inout Tally, right: Tally) {
        left.stored += right.stored
        left.lost += right.lost
        left.wrong += right.wrong
        left.doubled += right.doubled
    }
}

/// The points of the model beside those of PostgreSQL.
struct Comparison {
    /// By the injection under which a point was last written.
    private(set) var tallies: [Int: Tally] = [:]
    /// Some of what is not as it should be, for people.
    private(set) var examples: [String] = []
    private let exampleLimit = 10
    /// The injection of which no examples are wanted: its losses are accounted for otherwise.
    private let excused: Int?

    init(excused: Int?) {
        self.excused = excused
    }

    /// Compares one series.
    /// - Parameter stored: ascending by time.
    mutating func compare(_ name: SeriesName, _ table: Table, stored: [Point]) {
        var place = 0
        for cell in table.cells {
            while place < stored.count, stored[place].microseconds < cell.microseconds {
                note(name, stored[place], 0, \.doubled, "was never written")
                place += 1
            }
            let found = place < stored.count && stored[place].microseconds == cell.microseconds ? stored[place] : nil
            if found != nil { place += 1 }
            let injection = Int(cell.injection)
            switch (cell.isStored, found) {
            case (true, let found?) where found.value == cell.value: tallies[injection, default: Tally()].stored += 1
            case (true, let found?): note(name, found, injection, \.wrong, "should be \(cell.value)")
            case (true, nil):
                note(
                    name, Point(microseconds: cell.microseconds, value: cell.value), injection, \.lost, "is not there")
            case (false, let found?): note(name, found, injection, \.doubled, "should have been deleted")
            case (false, nil): break
            }
        }
        for point in stored[place...] { note(name, point, 0, \.doubled, "was never written") }
    }

    /// A series that nobody wrote.
    mutating func unexpected(_ name: String, points: Int) {
        tallies[0, default: Tally()].doubled += points
        example("\(name) has \(points) points that nobody wrote")
    }

    private mutating func note(
        _ name: SeriesName, _ point: Point, _ injection: Int, _ what: WritableKeyPath<Tally, Int>, _ complaint: String
    ) {
        tallies[injection, default: Tally()][keyPath: what] += 1
        if injection == excused, injection != 0 { return }
        example("\(name) \(Timestamp.text(point.microseconds)) \(point.value) \(complaint) (injection \(injection))")
    }

    private mutating func example(_ text: String) {
        if examples.count < exampleLimit { examples.append(text) }
    }
}
