import Glibc
import Logging
import Synchronization

/// Reads the configuration anew while the daemon runs, on SIGHUP.
///
/// What is wrong with the file is told, and all goes on as it was; keys and certificate, which have files of their own, are read all
/// the same. What needs a restart is told, and the rest takes effect.
final class Reload: Sendable {
    /// Reads the configuration's file.
    typealias Source = @Sendable () throws(ConfigurationError) -> Configuration

    private let source: Source
    private let running: Mutex<RunningConfiguration>
    /// Of the domains' journals.
    private let folders: [String]
    private let http: Live<Configuration.HTTP>
    private let memory: SharedMemory
    private let pipelines: [DomainPipeline]
    private let bridge: BridgeServer?
    private let notifier: ServiceManagerNotifier
    private let log: Logger

    /// - Parameters:
    ///   - configuration: what the daemon runs with.
    ///   - run: tells this run of the daemon from all others.
    init(
        of configuration: Configuration, run: String, from source: @escaping Source, http: Live<Configuration.HTTP>,
        memory: SharedMemory, pipelines: [DomainPipeline], bridge: BridgeServer?, notifier: ServiceManagerNotifier,
        log: Logger
    ) {
        self.source = source
        running = Mutex(RunningConfiguration(configuration, salt: run))
        folders = configuration.domains.map(configuration.journal.folder(of:))
        self.http = http
        self.memory = memory
        self.pipelines = pipelines
        self.bridge = bridge
        self.notifier = notifier
        self.log = log
    }

    /// Tells `windrow check` what the daemon runs with.
    func record() {
        let running = running.withLock { $0 }
        do {
            try running.write(to: folders)
        } catch {
            log.warning(
                "`windrow check` will not know what a reload changes: the configuration cannot be noted beside a journal",
                metadata: ["error": "\(error.localizedDescription)"])
        }
    }

    /// The daemon ends.
    func removeRecord() {
        let running = running.withLock { $0 }
        for folder in folders { running.remove(from: folder) }
    }

    func run() {
        notifier.reloading()
        defer { notifier.ready() }
        do throws(ConfigurationError) {
            apply(try source())
        } catch {
            for problem in error.problems {
                log.error("configuration refused", metadata: ["problem": "\(problem)"])
            }
            log.error("the configuration stays as it was; mend it and reload again")
        }
        bridge?.reload()
    }

    private func apply(_ configuration: Configuration) {
        let changes = running.withLock { $0.changes(to: configuration) }
        for change in changes where change.effect != .restart {
            log.notice("changed", metadata: ["setting": "\(change)"])
        }
        for change in changes where change.effect == .restart {
            log.warning("changed in the file, and takes effect with a restart only", metadata: ["setting": "\(change)"])
        }
        if changes.isEmpty { log.notice("configuration read anew: nothing has changed") }

        LogOutput.level = configuration.logLevel
        http.current = configuration.http
        let shares = MemoryShares(of: Int(configuration.limits.memory), domains: pipelines.count)
        memory.setLimit(shares.shared)
        for pipeline in pipelines {
            guard let domain = configuration.domains.first(where: { $0.name == pipeline.name }) else { continue }
            do {
                try pipeline.reload(domain, of: configuration, memory: shares.own)
            } catch {
                log.error(
                    "the domain's brokers stay as they were; reload again",
                    metadata: ["domain": "\(pipeline.name)", "error": "\(error)"])
            }
        }
        running.withLock { $0.reloaded(configuration) }
        record()
    }
}
