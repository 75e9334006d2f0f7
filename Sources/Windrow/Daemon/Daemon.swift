import Glibc
import Logging
import ServiceLifecycle

/// The daemon: a pipeline for each domain, the admin server, and the service manager's notifications.
public struct Daemon: Sendable {
    private let pipelines: [DomainPipeline]
    private let admin: AdminServer?
    private let notifier: ServiceManagerNotifier
    /// Ends when the admin server has its address: not before that does anything connect, since a daemon that finds the address
    /// taken may be a second one, and would take the first one's sessions.
    private let mayStart: AsyncStream<Void>
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
        let (mayStart, start) = AsyncStream<Void>.makeStream()
        self.mayStart = mayStart
        admin = configuration.http.admin.map { AdminServer(address: $0, status: status) { start.finish() } }
        if admin == nil { start.finish() }
        notifier = ServiceManagerNotifier(status: status)
    }

    /// Runs until SIGTERM or SIGINT, then stops the intake, flushes and trims; a second signal ends at once.
    /// - Throws: `AdminServerError` when the admin address cannot be had.
    public func run() async throws {
        // A log or socket whose reader has gone is an error to handle, not a reason to die.
        signal(SIGPIPE, SIG_IGN)
        // Stopped in reverse: systemd is told first, and the admin server answers until the end.
        var services: [any Service] = []
        if let admin { services.append(admin) }
        services += [Pipelines(pipelines: pipelines, mayStart: mayStart), notifier] as [any Service]
        let group = ServiceGroup(services: services, logger: log)
        let signals = Task { await StopSignals.handle(group, log) }
        defer { signals.cancel() }
        log.notice(
            "windrow \(Version.current) starts",
            metadata: ["domains": "\(pipelines.map(\.name).joined(separator: " "))"])
        try await group.run()
        log.notice("stopped")
    }
}

/// All domains at once: none waits for another, not to stop either.
private struct Pipelines: Service {
    let pipelines: [DomainPipeline]
    let mayStart: AsyncStream<Void>

    func run() async throws {
        for await _ in mayStart {}
        // Cancelled: the admin server has failed.
        if Task.isCancelled { return }
        try await withThrowingTaskGroup { group in
            for pipeline in pipelines { group.addTask { try await pipeline.run() } }
            try await group.waitForAll()
        }
    }
}
