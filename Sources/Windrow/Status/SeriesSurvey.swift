/// What a look at all active series of a domain has found: how many there are, how many are silent, and the first ones of an order.
struct SeriesSurvey: Sendable {
    enum Order: String, CaseIterable, Sendable {
        /// Silent ones first, of these the ones first that have fallen silent last; then those that are the latest by their own pace.
        case silence
        /// The last to arrive first.
        case recent
        /// The fastest first.
        case rate
    }

    struct Row: Sendable {
        var pace: SeriesPace
        /// Whether it was watched for long enough to say what is usual.
        var isKnown: Bool
        var isSilent: Bool
        /// Seconds since the last arrival.
        var quiet: Float
        /// Points a second.
        var rate: Float

        init(_ pace: SeriesPace, at tick: SeriesPace.Tick, silentAfter: Float) {
            self.pace = pace
            isKnown = pace.isKnown(silentAfter: silentAfter)
            isSilent = pace.isSilent(at: tick, silentAfter: silentAfter)
            quiet = pace.quiet(at: tick)
            rate = pace.rate(at: tick)
        }
    }

    private(set) var active = 0
    private(set) var silent = 0
    /// In order, after `finish()`.
    private(set) var rows: [Row] = []

    private let order: Order
    private let limit: Int
    private var candidates: [(key: Double, row: Row)] = []
    /// What a row must exceed to be among the first.
    private var threshold = -Double.infinity

    /// - Parameter limit: how many rows are kept.
    init(_ order: Order, limit: Int) {
        self.order = order
        self.limit = limit
    }

    init(of lanes: [SeriesActivity], _ order: Order, limit: Int) {
        self.init(order, limit: limit)
        for lane in lanes {
            let (tick, silentAfter) = (lane.tick, lane.silentAfter)
            lane.forEachPiece { add($0, at: tick, silentAfter: silentAfter) }
        }
        finish()
    }

    mutating func add(_ piece: borrowing [SeriesPace], at tick: SeriesPace.Tick, silentAfter: Float) {
        active += piece.count
        for place in piece.indices {
            let row = Row(piece[place], at: tick, silentAfter: silentAfter)
            if row.isSilent { silent += 1 }
            let key = key(row, silentAfter: silentAfter)
            guard limit > 0, key > threshold else { continue }
            candidates.append((key, row))
            if candidates.count == 2 * limit { cut() }
        }
    }

    mutating func finish() {
        cut()
        rows = candidates.map(\.row)
        candidates = []
    }

    private mutating func cut() {
        candidates.sort { $0.key > $1.key }
        if candidates.count > limit { candidates.removeLast(candidates.count - limit) }
        if candidates.count == limit, let last = candidates.last { threshold = last.key }
    }

    private func key(_ row: Row, silentAfter: Float) -> Double {
        switch order {
        // Less than 1 for those that are not silent.
        case .silence:
            row.isSilent
                ? 1 + 1 / (1 + Double(row.quiet)) : min(Double(row.quiet / row.pace.limit(silentAfter: silentAfter)), 1)
        case .recent: -Double(row.quiet)
        case .rate: Double(row.rate)
        }
    }
}
