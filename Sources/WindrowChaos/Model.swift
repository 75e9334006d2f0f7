/// What PostgreSQL must hold in the end of the series that a client owns.
struct Model {
    private(set) var tables: [SeriesName: Table] = [:]
    /// Times of the points that PostgreSQL refuses; no two edits of a run use the same.
    /// With the injection under which each was sent.
    private(set) var poison: [Int64: Int] = [:]

    mutating func apply(_ edit: Edit, injection: Int) {
        tables[edit.series, default: Table()].apply(edit, injection: injection)
        if let time = edit.poison { poison[time] = injection }
    }

    /// Takes over the series of a client, which nobody else owns.
    mutating func formUnion(_ other: Model) {
        tables.merge(other.tables) { _, _ in preconditionFailure("two clients own a series") }
        poison.merge(other.poison) { $1 }
    }
}
