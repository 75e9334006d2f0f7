/// What the admin server and the service manager are told.
struct DaemonStatus: Sendable {
    let domains: [DomainPipeline]
    let liveness: Liveness
    let bridge: BridgeServer?

    /// Everything that keeps the daemon from being ready, one line each; empty when it is.
    var failures: [String] {
        domains.flatMap { domain in
            domain.health.failures.map { "\(domain.name): \($0.part.rawValue) \($0.component): \($0.message)" }
        }
    }

    var isReady: Bool { failures.isEmpty }
}
