extension MetricFamily {
    /// The way from the journal to PostgreSQL.
    static let writer = [
        MetricFamily("windrow_memory_pending_bytes", .gauge, each: "Memory that pending points take.") {
            $0.pipeline.budget.used
        },
        MetricFamily(
            "windrow_memory_pending_max_bytes", .gauge,
            each: "Memory that pending points may take; what does not fit waits in the journal."
        ) { $0.pipeline.budget.limit },
        MetricFamily("windrow_flushes_total", .counter, each: "Flushes committed.") { $0.counts.flushes },
        MetricFamily(
            "windrow_flushes_merged_whole_total", .counter, each: "Flushes in which COPY met another writer's point."
        ) { $0.counts.flushesMergedWhole },
        MetricFamily(
            "windrow_flush_failures_total", .counter, by: "reason",
            "Flushes that failed and are tried again, by reason."
        ) { (domain, reason: FlushFailure) in domain.counts.flushFailures[reason] ?? 0 },
        MetricFamily(
            "windrow_rewinds_total", .counter,
            each:
                "Times that PostgreSQL had failed over or was behind what it had committed, and the journal was replayed."
        ) { $0.counts.rewinds },
        MetricFamily(
            "windrow_lost_positions_total", .counter,
            each:
                "Positions of the journal, lane by lane, that PostgreSQL had committed and lost and the journal held no more."
        ) { $0.counts.lostPositions },
        MetricFamily("windrow_flush_duration_seconds", each: "Time that a flush takes, its commit included.") {
            $0.counts.flushTime
        },
        MetricFamily(
            "windrow_commit_delay_seconds",
            each:
                "Time of a point from the receipt of its batch to its commit to PostgreSQL, without points received by an earlier run."
        ) { $0.counts.commitDelay },
        MetricFamily(
            "windrow_lane_pending_points", .gauge, forLane: "Points that the lane was given and has not committed."
        ) { Double($0.pending) },
        MetricFamily(
            "windrow_lane_overdue_seconds", .gauge,
            forLane: "Time since the lane's flush became due and is not committed; 0 while none is due."
        ) { $0.dueSince.map { max(.now - $0, .zero) / .seconds(1) } ?? 0 },
    ]

    private init(
        _ name: String, _ kind: PrometheusWriter.Kind, forLane help: String,
        _ value: @escaping @Sendable (DomainMetrics.LaneCounts) -> Double
    ) {
        self.init(name, kind, help, labels: ["domain", "lane"]) { writer, scrape in
            for domain in scrape.domains {
                for (lane, counts) in domain.counts.lanes.enumerated() {
                    writer.sample(["domain": domain.name, "lane": "\(lane)"], value(counts))
                }
            }
        }
    }
}
