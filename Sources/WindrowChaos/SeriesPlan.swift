/// Makes up the edits of one series: points at the head of time, late ones, corrections, and windows that overlap.
///
/// Most timestamps are whole seconds, so that edits meet each other's points.
struct SeriesPlan {
    let name: SeriesName
    /// Tells the client's poison from every other client's.
    private let client: Int
    /// The next new second.
    private var head: Int64
    /// Each point has a value of its own, so that a stale one shows.
    private var writes = 0

    init(name: SeriesName, client: Int) {
        self.name = name
        self.client = client
        head = Timestamp.start
    }

    /// - Parameter poisonNumber: if the edit is to have a point that PostgreSQL refuses; each number of a client once.
    mutating func next(_ mode: Mode, poisonNumber: Int? = nil, _ generator: inout Generator) -> Edit {
        var edit = Edit(series: name, mode: mode, points: [])
        if let poisonNumber {
            poison(&edit, Timestamp.poisoned + (Int64(client) << 28 + Int64(poisonNumber)) * Timestamp.second / 100)
        } else {
            switch mode {
            case .insert:
                // Late ones as well, some from long before the series began.
                edit.points = generator.chance(0.75) ? new(&generator) : old(reach: 100_000, &generator)
            case .update:
                edit.points = generator.chance(0.3) ? new(&generator) : old(reach: 100, &generator)
            case .replace:
                replace(&edit, &generator)
            }
        }
        return edit
    }

    /// A window that the points span, or one that is stated, perhaps an empty one.
    private mutating func replace(_ edit: inout Edit, _ generator: inout Generator) {
        edit.points = generator.chance(0.3) ? new(&generator) : old(reach: 200, span: 40, &generator)
        guard generator.chance(0.5) else { return }
        let times = edit.points.map(\.microseconds)
        let first = (times.min() ?? head) - Int64(generator.int(0...5)) * Timestamp.second
        let last = (times.max() ?? head) + Int64(generator.int(0...5_000_000))
        edit.window = first...last
        if generator.chance(0.3) { edit.points = [] }
    }

    /// Points that PostgreSQL must store around one that it refuses, at times that no other edit touches.
    private mutating func poison(_ edit: inout Edit, _ time: Int64) {
        edit.poison = time
        edit.points = [value(at: time - 1000), value(at: time + 1000)]
        if edit.mode == .replace { edit.window = time - 2000...time + 2000 }
    }

    private mutating func new(_ generator: inout Generator) -> [Point] {
        var points: [Point] = []
        for _ in 0..<count(&generator) {
            points.append(value(at: head + fraction(&generator)))
            head += Int64(generator.int(1...3)) * Timestamp.second
        }
        if generator.chance(0.2) { points.shuffle(using: &generator) }
        return points
    }

    /// Points of the last `reach` seconds, all within `span` seconds.
    private mutating func old(reach: Int, span: Int? = nil, _ generator: inout Generator) -> [Point] {
        let start = head - Int64(generator.int(1...reach)) * Timestamp.second
        return (0..<count(&generator)).map { _ in
            value(at: start + Int64(generator.int(0...(span ?? 60))) * Timestamp.second + fraction(&generator))
        }
    }

    private func count(_ generator: inout Generator) -> Int {
        generator.chance(0.3) ? 1 : generator.int(1...20)
    }

    private func fraction(_ generator: inout Generator) -> Int64 {
        generator.chance(0.1) ? Int64(generator.int(1...999_999)) : 0
    }

    private mutating func value(at time: Int64) -> Point {
        writes += 1
        return Point(microseconds: time, value: Double(writes) + 0.25)
    }
}
