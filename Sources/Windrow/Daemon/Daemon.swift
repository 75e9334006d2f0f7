import Foundation
import Logging
import ServiceLifecycle

/// The daemon: a pipeline for each domain, the servers of HTTP clients and of operators, and the service manager's notifications.
public struct Daemon: Sendable {
    private let pipelines: [DomainPipeline]
    private let admin: AdminServer?
    private let sampler: StatusSampler
    private let bridge: BridgeServer?
    private let notifier: ServiceManagerNotifier
    private let reload: Reload
    private let tail: Tail
    /// Ends when the servers have their addresses, the admin server first: not before that does anything connect, since a daemon that
    /// finds an address taken may be a second one, and would take the first one's sessions and socket.
    private let mayStart: AsyncStream<Void>
    private let log = Logger(label: "windrow")

    /// Opens the journals; connects to nothing yet.
    /// - Parameters:
    ///   - migrates: whether `run` creates and upgrades the schemas.
    ///   - source: reads the configuration anew, for a reload.
    /// - Throws: `JournalError`, or what is wrong with a keys file, the certificate or a socket that was passed; waiting mends none of it.
    public init(
        _ configuration: Configuration, migrates: Bool = true,
        rereading source: @escaping @Sendable () throws(ConfigurationError) -> Configuration
    ) throws {
        Signals.ignoreUntilHandled()
        let passed = try PassedSocket.take(log)
        let liveness = Liveness()
        ProcessLimits.takeDescriptors()
        let shares = MemoryShares(of: Int(configuration.limits.memory), domains: configuration.domains.count)
        let memory = SharedMemory(limit: shares.shared)
        let servers = DatabaseServers()
        let http = Live(configuration.http)
        let tail = Tail()
        let runID = UUID().uuidString
        self.tail = tail
        pipelines = try configuration.domains.map {
            try DomainPipeline(
                $0, of: configuration, http: http, memory: shares.own, sharedMemory: memory,
                server: servers.server(of: $0.postgres), migrates: migrates, runID: runID, liveness: liveness,
                tail: tail)
        }
        let (mayListen, listen) = AsyncStream<Void>.makeStream()
        let (mayStart, start) = AsyncStream<Void>.makeStream()
        sampler = StatusSampler(domains: pipelines)
        let bridged = zip(configuration.domains, pipelines).filter { $0.0.keysFile != nil }.map { $0.1.bridge }
        if let address = configuration.http.listen, !bridged.isEmpty {
            bridge = try BridgeServer(
                http, at: address, passed: passed, domains: bridged, log: log, mayStart: mayListen
            ) { start.finish() }
            self.mayStart = mayStart
        } else {
            bridge = nil
            self.mayStart = mayListen
            passed?.close(unusedBy: log)
        }
        let status = DaemonStatus(domains: pipelines, liveness: liveness, bridge: bridge)
        admin = configuration.http.admin.map {
            AdminServer(address: $0, status: status, tail: tail) { listen.finish() }
        }
        if admin == nil { listen.finish() }
        notifier = ServiceManagerNotifier(status: status)
        reload = Reload(
            of: configuration, run: runID, from: source, http: http, memory: memory, pipelines: pipelines,
            bridge: bridge,
            notifier: notifier,
            log: log)
    }

    /// Runs until SIGTERM or SIGINT, then stops the intake, flushes and trims; a second signal ends at once.
    /// - Throws: `ListenError` when an address cannot be had.
    public func run() async throws {
        // A log or socket whose reader has gone is an error to handle, not a reason to die.
        signal(SIGPIPE, SIG_IGN)
        ProcessLimits.giveBackLargeMemory()
        // Stopped in reverse: systemd is told first, then clients get their last answers, and the admin server answers until the end.
        var services: [any Service] = []
        if let admin { services += [admin, sampler] }
        services.append(Pipelines(pipelines: pipelines, tail: tail, mayStart: mayStart))
        if let bridge { services.append(bridge) }
        services.append(notifier)
        let group = ServiceGroup(services: services, logger: log)
        let signals = Task {
            await Signals.handle(group, log) { reload.run() }
        }
        reload.record()
        defer {
            signals.cancel()
            reload.removeRecord()
        }
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
    let tail: Tail
    let mayStart: AsyncStream<Void>

    func run() async throws {
        for await _ in mayStart {}
        // The admin server waits until nobody watches.
        defer { tail.close() }
        // Cancelled: the admin server has failed.
        if Task.isCancelled { return }
        try await withThrowingTaskGroup { group in
            for pipeline in pipelines { group.addTask { try await pipeline.run() } }
            let ticking = Task { await tick() }
            defer { ticking.cancel() }
            try await group.waitForAll()
        }
    }

    /// One timer for all domains: the threads of one that is idle are gone.
    private func tick() async {
        var turn = 0
        while !Task.isCancelled {
            for (place, pipeline) in pipelines.enumerated() { pipeline.tick(isTurn: place == turn) }
            turn = (turn + 1) % pipelines.count
            // Cancelled, it ends early, and with it the loop.
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
