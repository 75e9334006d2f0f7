extension MetricFamily {
    /// The accounting; see `DomainMetrics`.
    static let points = [
        MetricFamily("windrow_messages_total", .counter, each: "MQTT messages acknowledged, rejected ones included.") {
            $0.counts.messages
        },
        MetricFamily(
            "windrow_retained_skipped_total", .counter,
            each: "Retained messages without a timestamp, which are skipped."
        ) { $0.counts.retainedSkipped },
        MetricFamily("windrow_records_total", .counter, each: "Records accepted: messages or requests.") {
            $0.counts.records
        },
        MetricFamily(
            "windrow_points_received_total", .counter,
            each: "Points received; a message rejected before its points are known counts as one."
        ) { $0.counts.received },
        MetricFamily(
            "windrow_points_replayed_total", .counter,
            each:
                "Points read back that an earlier run had accepted, or that a failover had lost."
        ) { $0.counts.replayed },
        MetricFamily("windrow_points_inserted_total", .counter, each: "Points stored where there was none.") {
            $0.counts.inserted
        },
        MetricFamily("windrow_points_updated_total", .counter, each: "Points stored over another value.") {
            $0.counts.updated
        },
        MetricFamily(
            "windrow_points_kept_total", .counter,
            each: "Points not stored, because the stored one stays or is the same."
        ) { $0.counts.kept },
        MetricFamily(
            "windrow_points_superseded_total", .counter, each: "Points that a later one superseded before the flush."
        ) { $0.counts.superseded },
        MetricFamily("windrow_points_rejected_total", .counter, each: "Points in rejected messages and records.") {
            $0.counts.rejected
        },
        MetricFamily("windrow_points_pending", .gauge, each: "Points accepted and not yet in PostgreSQL.") {
            $0.counts.pending
        },
        MetricFamily(
            "windrow_points_deleted_total", .counter, each: "Stored points that a replace window deleted."
        ) { $0.counts.deleted },
        MetricFamily(
            "windrow_points_copied_total", .counter, each: "Points stored by COPY, part of the inserted ones."
        ) { $0.counts.copied },
        MetricFamily("windrow_series", .gauge, each: "Series written since the start.") {
            $0.pipeline.status.survey().active
        },
        MetricFamily(
            "windrow_series_silent", .gauge,
            each: "Series written since the start of which nothing new has come for much longer than usual."
        ) { $0.pipeline.status.survey().silent },
        MetricFamily(
            "windrow_rejections_total", .counter, by: "reason", "Messages and records rejected, by reason."
        ) { (domain, reason: Rejection.Reason) in domain.counts.rejections[reason] ?? 0 },
    ]
}
