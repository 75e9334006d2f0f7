/// Windrow's metrics in the Prometheus text format, version 0.0.4.
enum PrometheusText {
    static func render(_ status: DaemonStatus) -> String {
        let domains = status.domains.map { Domain(name: $0.name, counts: $0.metrics.snapshot, pipeline: $0) }
        var text = Writer()
        text.metric("windrow_info", "gauge", "The version that runs.") { $0.sample(["version": Version.current], 1) }
        text.metric("windrow_resident_memory_bytes", "gauge", "Resident memory of the process.") {
            $0.sample([:], Double(ProcessMemory.resident))
        }
        for counter in counters {
            text.metric(counter.name, counter.kind, counter.help) { text in
                for domain in domains { text.sample(["domain": domain.name], counter.value(domain)) }
            }
        }
        text.metric("windrow_rejections_total", "counter", "Messages and records rejected, by reason.") { text in
            for domain in domains {
                for reason in Rejection.Reason.allCases {
                    let count = domain.counts.rejections[reason] ?? 0
                    text.sample(["domain": domain.name, "reason": reason.rawValue], Double(count))
                }
            }
        }
        text.metric("windrow_http_requests_total", "counter", "HTTP requests, by the status of their answer.") { text in
            for domain in domains {
                for (status, count) in domain.counts.requests.sorted(by: { $0.key < $1.key }) {
                    text.sample(["domain": domain.name, "status": "\(status)"], Double(count))
                }
            }
        }
        text.metric("windrow_up", "gauge", "1 if the part of the domain works, else 0.") { text in
            for domain in domains {
                let failing = Set(domain.pipeline.health.failures.map(\.part))
                for part in DomainHealth.Part.allCases {
                    text.sample(["domain": domain.name, "part": part.rawValue], failing.contains(part) ? 0 : 1)
                }
            }
        }
        return text.text
    }

    private struct Domain {
        var name: String
        var counts: DomainMetrics.Counts
        var pipeline: DomainPipeline
    }

    private struct Metric {
        var name: String
        var kind: String
        var help: String
        var value: (Domain) -> Double

        init(_ name: String, _ kind: String, _ help: String, _ value: @escaping (Domain) -> Int) {
            self.name = name
            self.kind = kind
            self.help = help
            self.value = { Double(value($0)) }
        }

        init(_ name: String, _ kind: String, _ help: String, _ value: @escaping (Domain) -> Double) {
            self.name = name
            self.kind = kind
            self.help = help
            self.value = value
        }

        init(seconds name: String, _ kind: String, _ help: String, _ value: @escaping (Domain) -> Duration) {
            self.name = name
            self.kind = kind
            self.help = help
            self.value = { value($0) / .seconds(1) }
        }
    }

    private static var counters: [Metric] {
        [
            Metric("windrow_messages_total", "counter", "MQTT messages acknowledged, rejected ones included.") {
                $0.counts.messages
            },
            Metric(
                "windrow_retained_skipped_total", "counter", "Retained messages without a timestamp, which are skipped."
            ) {
                $0.counts.retainedSkipped
            },
            Metric("windrow_records_total", "counter", "Records accepted: messages or requests.") { $0.counts.records },
            Metric(
                "windrow_points_received_total", "counter",
                "Points received; a message rejected before its points are known counts as one."
            ) { $0.counts.received },
            Metric("windrow_points_replayed_total", "counter", "Points read back that an earlier run had accepted.") {
                $0.counts.replayed
            },
            Metric("windrow_points_inserted_total", "counter", "Points stored where there was none.") {
                $0.counts.inserted
            },
            Metric("windrow_points_updated_total", "counter", "Points stored over another value.") {
                $0.counts.updated
            },
            Metric("windrow_points_kept_total", "counter", "Points not stored, because the stored one stays.") {
                $0.counts.kept
            },
            Metric("windrow_points_superseded_total", "counter", "Points that a later one superseded before the flush.")
            {
                $0.counts.superseded
            },
            Metric("windrow_points_rejected_total", "counter", "Points in rejected messages and records.") {
                $0.counts.rejected
            },
            Metric("windrow_points_pending", "gauge", "Points accepted and not yet in PostgreSQL.") {
                $0.counts.pending
            },
            Metric("windrow_points_deleted_total", "counter", "Stored points that a replace window deleted.") {
                $0.counts.deleted
            },
            Metric("windrow_points_copied_total", "counter", "Points stored by COPY, part of the inserted ones.") {
                $0.counts.copied
            },
            Metric("windrow_flushes_total", "counter", "Flushes committed.") { $0.counts.flushes },
            Metric("windrow_flushes_merged_whole_total", "counter", "Flushes in which COPY met another writer's point.")
            {
                $0.counts.flushesMergedWhole
            },
            Metric(seconds: "windrow_flush_seconds_total", "counter", "Time spent in flushes.") { $0.counts.flushTime },
            Metric(seconds: "windrow_flush_seconds_max", "gauge", "The longest flush since the start.") {
                $0.counts.flushTimeMax
            },
            Metric("windrow_memory_pending_bytes", "gauge", "Memory that pending points take.") {
                $0.pipeline.budget.used
            },
            Metric("windrow_journal_bytes", "gauge", "Bytes in use in the journal, dead letters included.") {
                $0.pipeline.journal.usedBytes
            },
            Metric(
                "windrow_journal_full_seconds", "gauge",
                "Time until the journal is full if it goes on growing as in the last minutes; +Inf while it does not grow."
            ) { $0.pipeline.timeUntilFull.map { $0 / .seconds(1) } ?? .infinity },
            Metric("windrow_series", "gauge", "Series written since the start.") { $0.pipeline.status.survey().active },
            Metric(
                "windrow_series_silent", "gauge",
                "Series written since the start of which nothing new has come for much longer than usual."
            ) { $0.pipeline.status.survey().silent },
            Metric("windrow_dead_letters_dropped_total", "counter", "Dead letters that made room for newer ones.") {
                $0.pipeline.journal.deadLettersDropped
            },
        ]
    }

    private struct Writer {
        var text = ""
        private var name = ""

        mutating func metric(_ name: String, _ kind: String, _ help: String, _ samples: (inout Writer) -> Void) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
            self.name = name
            samples(&self)
        }

        mutating func sample(_ labels: KeyValuePairs<String, String>, _ value: Double) {
            text += name
            if !labels.isEmpty {
                text += "{" + labels.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ",") + "}"
            }
            if value == .infinity {
                text += " +Inf\n"
                return
            }
            let isWhole = value == value.rounded() && abs(value) < 1e15
            text += isWhole ? " \(Int64(value))\n" : " \(value)\n"
        }
    }
}
