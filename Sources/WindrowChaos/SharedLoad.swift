/// What goes through a shared subscription, whose messages several daemons take in any order: edits that have the same effect in every
/// order.
///
/// Of each series every point has a time of its own and one value for ever, whoever writes it and however often; and a window that is
/// replaced is nobody else's.
struct SharedLoad: Load {
    static let isShared = true

    private(set) var model = Model()
    private var generator: Generator
    private let series: [SeriesName]
    /// Stretches of time that were given away, by series.
    private var stretches: [Int]

    /// Seconds of a stretch: each message has one to itself.
    private static let stretch: Int64 = 20

    init(seed: UInt64, client: Int, nodes: [SeriesName.Node], tags: Int) {
        generator = Generator(seed: seed, stream: client)
        series = nodes.flatMap { node in (0..<tags).map { SeriesName(node: node, tag: "shared\($0)") } }
        stretches = Array(repeating: 0, count: series.count)
    }

    mutating func next(injection: Int) -> Handover? {
        let place = generator.int(0...series.count - 1)
        let mode = generator.pick([(4, Mode.insert), (2, .update), (2, .replace)])
        let start = Timestamp.start + Int64(stretches[place]) * Self.stretch * Timestamp.second
        stretches[place] += 1
        let points = (0..<generator.int(1...10)).map { number in
            let time = start + Int64(2 * number) * Timestamp.second
            return Point(microseconds: time, value: Double(time / Timestamp.second % 1_000_000) + 0.125)
        }
        var edit = Edit(series: series[place], mode: mode, points: points)
        if mode == .replace { edit.window = start...start + (Self.stretch - 1) * Timestamp.second }
        model.apply(edit, injection: injection)
        return Handover(
            packet: PublishPacket.Body(
                topic: "\(Subject.sharedRoot)/\(edit.series)", overwrite: nil,
                payload: Payload.mqtt(edit, statesMode: mode != .insert)),
            points: points.count)
    }

    mutating func repetition(of sent: Int) -> Int { generator.chance(0.01) ? generator.int(0...min(sent, 20)) : 0 }
}
