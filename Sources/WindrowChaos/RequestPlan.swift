/// What one HTTP client posts, request by request.
struct RequestPlan {
    struct Request {
        var edits: [Edit]
        var query: String
        var body: String

        var isPoisoned: Bool { edits.contains { $0.poison != nil } }
        var pointCount: Int { edits.reduce(0) { $0 + $1.sent.count } }
    }

    private var generator: Generator
    private var series: [SeriesPlan]
    private var poisonCount = 0

    init(seed: UInt64, client: Int, nodes: [SeriesName.Node], tags: Int) {
        generator = Generator(seed: seed, stream: client)
        series = nodes.flatMap { node in
            (0..<tags).map { SeriesPlan(name: SeriesName(node: node, tag: "t\($0)"), client: client) }
        }
    }

    mutating func next() -> Request {
        let mode = generator.pick([(4, Mode.insert), (3, .update), (3, .replace)])
        var edits: [Edit] = []
        for _ in 0..<generator.int(1...6) {
            let number = generator.chance(0.002) ? poisonCount : nil
            if number != nil { poisonCount += 1 }
            // The same series twice in one request is two edits, in their order.
            let place = generator.int(0...series.count - 1)
            edits.append(series[place].next(mode, poisonNumber: number, &generator))
        }
        let query = [
            mode == .insert ? nil : "overwrite=\(mode.rawValue)", generator.chance(0.5) ? "silent=true" : nil,
        ]
        return Request(
            edits: edits, query: query.compactMap { $0 }.joined(separator: "&"), body: Payload.request(edits))
    }

    /// Pause before the next request.
    mutating func pause() -> Duration { generator.seconds(0.02...0.12) }
}
