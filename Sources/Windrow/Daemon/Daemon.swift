import Logging
import ServiceLifecycle

/// The daemon: a pipeline for each domain, the admin server, and the service manager's notifications.
public struct Daemon: Sendable {
    private let pipelines: [DomainPipeline]
    private let admin: AdminServer?
    private let notifier: ServiceManagerNotifier
    private let log = Logger(label: "windrow")

    /// Opens the journals; connects to nothing yet.
    /// - Parameter migrates: whether `run` creates and upgrades the schemas.
    /// - Throws: `JournalError`, which waiting does not mend.
    public init(_ configuration: Configuration, migrates: Bool = true) throws {
        let liveness = Liveness()
        let memory = Int(configuration.limits.memory) / configuration.domains.count
        pipelines = try configuration.domains.map {
            try DomainPipeline(
                $0, journal: configuration.journal, memory: memory, migrates: migrates, liveness: liveness)
        }
        let status = DaemonStatus(domains: pipelines, liveness: liveness)
        admin = configuration.http.admin.map { AdminServer(address: $0, status: status) }
        notifier = ServiceManagerNotifier(status: status)
    }

    /// Runs until SIGTERM or SIGINT, then stops the intake, flushes and trims; a second signal ends at once.
    /// - Throws: `AdminServerError` when the admin address cannot be had.
    public func run() async throws {
        var services: [any Service] = [notifier]
        if let admin { services.append(admin) }
        services += pipelines as [any Service]
        let group = ServiceGroup(services: services, logger: log)
        let signals = Task { await StopSignals.handle(group, log) }
        defer { signals.cancel() }
        log.notice("windrow \(Version.current) starts", metadata: ["domains": "\(pipelines.map(\.name).joined(separator: " "))"])
        try await group.run()
        log.notice("stopped")
    }
}
