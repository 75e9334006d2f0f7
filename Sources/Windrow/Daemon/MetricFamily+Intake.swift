extension MetricFamily {
    /// The connections to MQTT brokers, each under the name that it has in the log and on `/readyz`.
    static let brokers = [
        MetricFamily(
            "windrow_broker_connected", .gauge,
            forBroker: "1 while the broker is connected and the subscriptions are in force, else 0."
        ) { $0.isConnected ? 1 : 0 },
        MetricFamily(
            "windrow_broker_connections_total", .counter,
            forBroker: "Connections made to the broker; all but the first are reconnects."
        ) { Double($0.connections) },
        MetricFamily(
            "windrow_broker_messages_total", .counter,
            forBroker: "MQTT messages acknowledged to the broker, rejected ones included."
        ) { Double($0.messages) },
        MetricFamily(
            "windrow_last_message_timestamp_seconds", .gauge,
            forBroker:
                "When the broker last sent a message, in seconds since 1970; before the first one, when Windrow began to listen."
        ) { $0.lastMessage.seconds },
        MetricFamily(
            "windrow_broker_certificate_expiry_timestamp_seconds", .gauge,
            forBroker:
                "When the certificate that is shown to the broker expires, in seconds since 1970; only where there is one."
        ) { $0.certificateExpiry?.seconds },
    ]

    /// The REST call.
    static let requests = [
        MetricFamily(
            "windrow_http_requests_total", .counter, "HTTP requests to a domain, by the status of their answer.",
            labels: ["domain", "status"]
        ) { writer, scrape in
            for domain in scrape.domains {
                for (status, count) in domain.counts.requests.sorted(by: { $0.key < $1.key }) {
                    writer.sample(["domain": domain.name, "status": "\(status)"], count)
                }
            }
        },
        MetricFamily(
            "windrow_http_request_duration_seconds", .histogram,
            "Time from a request's head until its answer begins, by method and class of status.",
            labels: ["domain", "method", "status"]
        ) { writer, scrape in
            for domain in scrape.domains {
                for (kind, histogram) in domain.counts.requestTime.sorted(by: { $0.key < $1.key }) {
                    writer.histogram(
                        ["domain": domain.name, "method": kind.method.rawValue, "status": "\(kind.statusClass)xx"],
                        histogram)
                }
            }
        },
        MetricFamily(
            "windrow_http_certificate_expiry_timestamp_seconds", .gauge,
            "When the certificate of `http.tls` expires, in seconds since 1970; only where there is one."
        ) { writer, scrape in
            if let expiry = scrape.status.bridge?.certificateExpiry { writer.sample([:], expiry.seconds) }
        },
    ]

    private init(
        _ name: String, _ kind: PrometheusWriter.Kind, forBroker help: String,
        _ value: @escaping @Sendable (DomainMetrics.BrokerCounts) -> Double?
    ) {
        self.init(name, kind, help, labels: ["domain", "broker"]) { writer, scrape in
            for domain in scrape.domains {
                for (broker, counts) in domain.counts.brokers.sorted(by: { $0.key < $1.key }) {
                    if let value = value(counts) { writer.sample(["domain": domain.name, "broker": broker], value) }
                }
            }
        }
    }
}

extension Timestamp {
    /// Since 1970.
    fileprivate var seconds: Double { Double(microseconds) / 1e6 }
}
