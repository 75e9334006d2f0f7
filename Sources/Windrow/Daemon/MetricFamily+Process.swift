extension MetricFamily {
    /// What is the whole daemon's. The names that begin with `process_` are those of Prometheus' own client libraries.
    static let process = [
        MetricFamily("windrow_info", .gauge, "The version that runs.", labels: ["version"]) { writer, _ in
            writer.sample(["version": Version.current], 1)
        },
        MetricFamily(
            "windrow_up", .gauge, by: "part",
            "1 if the part of the domain works, else 0: its brokers, its PostgreSQL, its journal."
        ) { (domain, part: DomainHealth.Part) in
            domain.pipeline.health.failures.contains { $0.part == part } ? 0 : 1
        },
        MetricFamily(
            "windrow_stuck_threads", .gauge,
            "Threads whose work takes so long that they are thought to hang; `/healthz` names them."
        ) { writer, scrape in
            writer.sample([:], scrape.status.liveness.stuck.count)
        },
        MetricFamily(
            "process_start_time_seconds", .gauge, "Start of the process, in seconds since 1970.", of: \.startTime),
        MetricFamily(
            "process_cpu_seconds_total", .counter, "User and system CPU time of the process.", of: \.cpuSeconds),
        MetricFamily("process_resident_memory_bytes", .gauge, "Resident memory of the process.", of: \.residentBytes),
        MetricFamily("process_virtual_memory_bytes", .gauge, "Virtual memory of the process.", of: \.virtualBytes),
        MetricFamily("process_threads", .gauge, "Threads of the process.", of: \.threads),
        MetricFamily("process_open_fds", .gauge, "File descriptors that are open.", of: \.openDescriptors),
        MetricFamily("process_max_fds", .gauge, "File descriptors that may be open.", of: \.maxDescriptors),
    ]

    private init(
        _ name: String, _ kind: PrometheusWriter.Kind, _ help: String,
        of value: KeyPath<ProcessUsage, Double?> & Sendable
    ) {
        self.init(name, kind, help) { writer, scrape in
            if let value = scrape.process[keyPath: value] { writer.sample([:], value) }
        }
    }
}
