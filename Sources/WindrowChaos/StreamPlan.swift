/// What a gateway sends on a topic whose subscription makes it a stream window: a stretch of time, replayed message by message over
/// old points that lie between.
struct StreamPlan {
    struct Message {
        /// Index of the series.
        var series: Int
        var points: [Point]
    }

    /// Seconds from one point of the stream to the next.
    static let step: Int64 = 10
    /// Where between two points of the stream, in seconds, an old point lies.
    static let oldOffsets: [Int64] = [3, 7]
    static let oldValue = -1.0

    let series: [SeriesName]
    /// Points of each series' stream at most; the old ones go on for some time after them.
    let limit: Int
    private var generator: Generator
    private var sent: [Int]

    init(seed: UInt64, client: Int, node: Int64, seriesCount: Int, limit: Int) {
        series = (0..<seriesCount).map { SeriesName(node: .id(node), tag: "s\($0)") }
        self.limit = limit
        generator = Generator(seed: seed, stream: client)
        sent = Array(repeating: 0, count: seriesCount)
    }

    /// nil at the end of the stream.
    mutating func next() -> Message? {
        let place = generator.int(0...series.count - 1)
        let count = generator.int(1...5)
        guard sent[place] + count <= limit else { return nil }
        let points = (0..<count).map { number in
            Point(
                microseconds: Timestamp.start + Int64(sent[place] + number) * Self.step * Timestamp.second,
                value: Double(sent[place] + number) + 0.5)
        }
        sent[place] += count
        return Message(series: place, points: points)
    }

    /// The old points of each series, beyond the end of the stream too.
    var oldPoints: [Point] {
        (0..<Int64(limit + 100)).flatMap { number in
            Self.oldOffsets.map { offset in
                Point(
                    microseconds: Timestamp.start + (number * Self.step + offset) * Timestamp.second,
                    value: Self.oldValue)
            }
        }
    }
}
