/// One metric of `/metrics`: what is told of it, and its samples.
///
/// What labels tell apart is bounded by the configuration (domain, broker, lane) or by the program (reason, status), never by what
/// senders send.
struct MetricFamily: Sendable {
    var name: String
    var kind: PrometheusWriter.Kind
    var help: String
    /// Names of its samples' labels.
    var labels: [String]
    var write: @Sendable (inout PrometheusWriter, Scrape) -> Void

    init(
        _ name: String, _ kind: PrometheusWriter.Kind, _ help: String, labels: [String] = [],
        _ write: @escaping @Sendable (inout PrometheusWriter, Scrape) -> Void
    ) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.write = write
    }

    /// Of which each domain has one sample.
    init(
        _ name: String, _ kind: PrometheusWriter.Kind, each help: String,
        _ value: @escaping @Sendable (Scrape.Domain) -> Double
    ) {
        self.init(name, kind, help, labels: ["domain"]) { writer, scrape in
            for domain in scrape.domains { writer.sample(["domain": domain.name], value(domain)) }
        }
    }

    init(
        _ name: String, _ kind: PrometheusWriter.Kind, each help: String,
        _ value: @escaping @Sendable (Scrape.Domain) -> Int
    ) {
        self.init(name, kind, each: help) { Double(value($0)) }
    }

    /// Of which each domain has one histogram.
    init(_ name: String, each help: String, _ value: @escaping @Sendable (Scrape.Domain) -> Histogram) {
        self.init(name, .histogram, help, labels: ["domain"]) { writer, scrape in
            for domain in scrape.domains { writer.histogram(["domain": domain.name], value(domain)) }
        }
    }

    /// Of which each domain has a sample for each case of `Label`, also where there is nothing to count: a counter that appears
    /// only with its first event hides that event from Prometheus' `increase`.
    init<Label: CaseIterable & RawRepresentable<String> & Sendable>(
        _ name: String, _ kind: PrometheusWriter.Kind, by label: String, _ help: String,
        _ value: @escaping @Sendable (Scrape.Domain, Label) -> Int
    ) {
        let cases = Label.allCases.map { ($0, $0.rawValue) }
        self.init(name, kind, help, labels: ["domain", label]) { writer, scrape in
            for domain in scrape.domains {
                for (one, text) in cases { writer.sample(["domain": domain.name, label: text], value(domain, one)) }
            }
        }
    }
}
