/// Goes through the steps of a sizing while the fleet runs. Told what is so and what time it is; says which rate comes next.
struct SizingRun {
    enum Action: Equatable {
        case nothing
        /// From now on so many points per second.
        case rate(Double)
        case end
    }

    private enum Phase {
        /// Until the step's first part is over, which is not measured.
        case settling(since: Int64)
        case measuring(since: Int64, Tally, lag: Double?)
        /// What a step left behind is waited for before the next one.
        case draining(since: Int64)
    }

    private var sizing: Sizing
    private var rate: Double
    private let step: Int64
    private var phase: Phase

    /// So slow that nothing is sent.
    private static let rest = 1e-6
    /// How far behind PostgreSQL may be, if it does not fall further behind.
    private static let lagLimit = 5.0
    private static let drainPatience: Int64 = 60_000_000_000

    init(_ settings: Settings.SizingSettings, begin: Int64) {
        sizing = Sizing(from: settings.firstRate)
        rate = settings.firstRate
        step = Int64(settings.stepSeconds * 1e9)
        phase = .settling(since: begin)
    }

    var steps: [SizingStep] { sizing.steps }

    /// - Parameter lag: seconds that PostgreSQL is behind; nil if nobody looks.
    mutating func advance(_ now: Int64, _ tally: Tally, lag: Double?) -> Action {
        switch phase {
        case .settling(let since):
            if now - since >= step / 4 { phase = .measuring(since: now, tally, lag: lag) }
            return .nothing
        case .measuring(let since, let before, let lagBefore):
            guard now - since >= step * 3 / 4 else { return .nothing }
            sizing.add(assess(Double(now - since) / 1e9, before, tally, lagBefore, lag))
            phase = .draining(since: now)
            return .rate(Self.rest)
        case .draining(let since):
            guard tally.waitingPoints == 0 && (lag ?? 0) < 2 || now - since > Self.drainPatience else {
                return .nothing
            }
            guard let next = sizing.rate else { return .end }
            rate = next
            phase = .settling(since: now)
            return .rate(next)
        }
    }

    private func assess(
        _ seconds: Double, _ before: Tally, _ after: Tally, _ lagBefore: Double?, _ lagAfter: Double?
    ) -> SizingStep {
        let acknowledged = Double(after.acknowledgedPoints - before.acknowledgedPoints) / seconds
        let latency = after.latency.since(before.latency)
        // What is sent twice or late comes on top of the rate, and is acknowledged with it.
        let sent = Double(after.sentPoints - before.sentPoints) / seconds
        let keepsUp = acknowledged >= 0.95 * max(sent, rate) && Double(after.waitingPoints) <= max(rate, 100)
        let isStored = (lagAfter ?? 0) <= max(Self.lagLimit, (lagBefore ?? 0) + 1)
        return SizingStep(
            offered: rate, acknowledged: acknowledged, latency50: latency.milliseconds(0.5),
            latency99: latency.milliseconds(0.99), lag: lagAfter, isSustained: keepsUp && isStored)
    }
}
