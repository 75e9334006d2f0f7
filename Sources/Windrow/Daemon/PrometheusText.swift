/// Windrow's metrics, as `/metrics` tells them.
enum PrometheusText {
    /// In the order in which they are written, and in which `docs/metrics.md` has them.
    static let families =
        MetricFamily.process + MetricFamily.points + MetricFamily.brokers + MetricFamily.requests + MetricFamily.journal
        + MetricFamily.writer

    static func render(_ status: DaemonStatus) -> String {
        let scrape = Scrape(status)
        var writer = PrometheusWriter()
        for family in families {
            writer.metric(family.name, family.kind, family.help) { family.write(&$0, scrape) }
        }
        return writer.text
    }
}

/// What all samples of one answer are taken from.
struct Scrape {
    struct Domain {
        var name: String
        /// All from one moment, so that the accounting closes.
        var counts: DomainMetrics.Counts
        var pipeline: DomainPipeline
    }

    var domains: [Domain]
    var status: DaemonStatus
    var process = ProcessUsage.current

    init(_ status: DaemonStatus) {
        domains = status.domains.map { Domain(name: $0.name, counts: $0.metrics.snapshot, pipeline: $0) }
        self.status = status
    }
}
