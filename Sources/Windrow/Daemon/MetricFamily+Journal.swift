extension MetricFamily {
    /// The journal and its dead letters.
    static let journal = [
        MetricFamily("windrow_journal_bytes", .gauge, each: "Bytes in use in the journal, dead letters included.") {
            $0.pipeline.journal.usedBytes
        },
        MetricFamily(
            "windrow_journal_kept_bytes", .gauge,
            each: "Bytes in the journal of batches that PostgreSQL has and that are kept for a failover: journal.keep."
        ) { $0.pipeline.journal.keptBytes },
        MetricFamily("windrow_journal_max_bytes", .gauge, each: "Bytes that the journal may use: journal.max_size.") {
            $0.pipeline.journal.maxBytes
        },
        MetricFamily(
            "windrow_journal_disk_free_bytes", .gauge, each: "Bytes that are free on the disk that the journal is on."
        ) { $0.pipeline.journal.diskFree.map(Double.init) ?? .nan },
        MetricFamily(
            "windrow_journal_full_seconds", .gauge,
            each:
                "Time until the journal is full if it goes on growing as in the last minutes; +Inf while it does not grow."
        ) { $0.pipeline.timeUntilFull.map { $0 / .seconds(1) } ?? .infinity },
        MetricFamily(
            "windrow_intake_paused", .gauge,
            each: "1 while the journal or its disk is full and nothing is taken in, else 0."
        ) { $0.pipeline.journal.isPaused ? 1 : 0 },
        MetricFamily(
            "windrow_batch_points", each: "Points of a transaction of the journal that accepts records."
        ) { $0.counts.batchPoints },
        MetricFamily(
            "windrow_journal_append_duration_seconds",
            each: "Time that a transaction of the journal takes that accepts records, fsync included."
        ) { $0.counts.appendTime },
        MetricFamily(
            "windrow_journal_append_failures_total", .counter,
            each: "Transactions of the journal that failed; their senders keep what was in them."
        ) { $0.counts.appendFailures },
        MetricFamily(
            "windrow_dead_letters_total", .counter, by: "reason", "Dead letters that came into the journal, by reason."
        ) { (domain, reason: Rejection.Reason) in domain.pipeline.journal.deadLettersCame[reason] ?? 0 },
        MetricFamily("windrow_dead_letters_kept", .gauge, each: "Dead letters in the journal.") {
            $0.pipeline.journal.deadLettersKept
        },
        MetricFamily(
            "windrow_dead_letters_dropped_total", .counter, each: "Dead letters that made room for newer ones."
        ) { $0.pipeline.journal.deadLettersDropped },
    ]
}
