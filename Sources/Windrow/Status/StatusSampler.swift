import ServiceLifecycle

/// Adds a sample to each domain's history every five seconds.
struct StatusSampler: Service {
    let domains: [DomainPipeline]

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var gauges = domains.map { _ in StatusGauge() }
            // Cancellation ends the sleep early, and the loop.
            while !Task.isCancelled {
                for (place, domain) in domains.enumerated() {
                    let counts = domain.metrics.snapshot
                    let bytes = domain.journal.waitingBytes
                    if let sample = gauges[place].sample(counts, journalBytes: bytes, at: .now) {
                        domain.status.append(sample)
                    }
                }
                try? await Task.sleep(for: StatusHistory.step)
            }
        }
    }
}

/// Makes rates and quantiles of a domain's counters.
struct StatusGauge {
    private var last: (counts: DomainMetrics.Counts, at: ContinuousClock.Instant)?
    /// The flush times of the last minute's samples, the oldest first.
    private var flushTimes: [Histogram] = []

    /// A minute.
    private static let flushSamples = 12

    /// nil the first time: there is nothing to compare with.
    mutating func sample(
        _ counts: DomainMetrics.Counts, journalBytes: Int, at now: ContinuousClock.Instant
    ) -> StatusHistory.Sample? {
        defer { last = (counts, now) }
        guard let last else { return nil }
        flushTimes.append(last.counts.flushTime)
        if flushTimes.count > Self.flushSamples { flushTimes.removeFirst() }
        let flushes = counts.flushTime.since(flushTimes[0])
        let seconds = max((now - last.at) / .seconds(1), 0.001)
        return StatusHistory.Sample(
            received: Float(Double(counts.received - last.counts.received) / seconds),
            settled: Float(Double(counts.settled - last.counts.settled) / seconds), pending: Float(counts.pending),
            journalBytes: Float(journalBytes), flushMedian: flushes.quantile(0.5).map(Float.init),
            flushSlowest: flushes.quantile(0.99).map(Float.init))
    }
}

extension DomainMetrics.Counts {
    /// Points that flushes are done with.
    var settled: Int { inserted + updated + kept + superseded }
}
