import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Serves the REST call on `http.listen`.
struct BridgeServer: Service {
    private let settings: Configuration.HTTP
    private let address: Configuration.BridgeAddress
    private let domains: [DomainBridge]
    private let identity: ServerIdentity?
    private let log: Logger
    /// Ends when this may listen.
    private let mayStart: AsyncStream<Void>
    /// Called once the address is taken.
    private let didStart: @Sendable () -> Void

    /// What waits for PostgreSQL when the daemon stops waits no longer than this.
    private static let stopTime = Duration.seconds(3)

    /// Reads keys and certificate.
    init(
        _ settings: Configuration.HTTP, at address: Configuration.BridgeAddress, domains: [DomainBridge], log: Logger,
        mayStart: AsyncStream<Void>, didStart: @escaping @Sendable () -> Void
    ) throws {
        self.settings = settings
        self.address = address
        self.domains = domains
        self.log = log
        self.mayStart = mayStart
        self.didStart = didStart
        identity = try settings.tls.map { try ServerIdentity($0) }
        for domain in domains { try domain.keys.reload() }
    }

    func run() async throws {
        for await _ in mayStart {}
        if Task.isCancelled { return }
        var quiet = Logger(label: "windrow.http")
        // Hummingbird's own lines about a server that starts and stops say nothing to an operator.
        quiet.logLevel = .critical
        let application = Application(
            responder: BridgeResponder(domains: Dictionary(uniqueKeysWithValues: domains.map { ($0.name, $0) })),
            server: HTTPServerBuilder { [settings, identity] responder in
                BridgeChannel(settings, identity: identity, responder: responder)
            },
            configuration: ApplicationConfiguration(
                address: bindAddress, serverName: "windrow", backlog: 1024,
                availableConnectionsDelegate: .maximum(settings.maxConnections, logger: quiet)),
            onServerRunning: { _ in didListen() }, logger: quiet)
        if case .unix(let path) = address, Self.isServed(path) { throw failure(EADDRINUSE) }
        do {
            try await withGracefulShutdownHandler {
                try await application.run()
            } onGracefulShutdown: {
                Task {
                    try await Task.sleep(for: Self.stopTime)
                    for domain in domains { domain.receipts.stop() }
                }
            }
        } catch let error as IOError {
            throw failure(error.errnoCode)
        } catch is UnixDomainSocketPathWrongType {
            // Something that is no socket.
            throw failure(EEXIST)
        }
        if case .unix(let path) = address { unlink(path) }
    }

    private func failure(_ code: Int32) -> ListenError {
        ListenError(key: "http.listen", address: "\(address)", code: code)
    }

    /// Whether somebody answers on a socket: one that a killed daemon has left may be taken over, another's may not.
    private static func isServed(_ path: String) -> Bool {
        let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard client >= 0 else { return false }
        defer { close(client) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    /// Reads keys and certificate anew, each by itself: one that cannot be read leaves what there was.
    func reload() {
        for domain in domains {
            do {
                let count = try domain.keys.reload()
                log.notice("keys read anew", metadata: ["domain": "\(domain.name)", "keys": "\(count)"])
            } catch {
                log.error(
                    "the keys stay as they were", metadata: ["domain": "\(domain.name)", "error": "\(error)"])
            }
        }
        tellMissingKeys()
        guard let identity else { return }
        do {
            try identity.reload()
            log.notice("certificate read anew")
        } catch {
            log.error("the certificate stays as it was", metadata: ["error": "\(error)"])
        }
    }

    private var bindAddress: BindAddress {
        switch address {
        case .tcp(let address): .hostname(address.host, port: Int(address.port))
        case .unix(let path): .unixDomainSocket(path: path)
        }
    }

    private func didListen() {
        // As on loopback, whoever is on this machine may connect, and keys decide; the folder may say less.
        if case .unix(let path) = address { chmod(path, 0o666) }
        log.notice(
            "listening",
            metadata: [
                "address": "\(address)", "tls": "\(identity != nil)",
                "domains": "\(domains.map(\.name).joined(separator: " "))",
            ])
        tellMissingKeys()
        didStart()
    }

    private func tellMissingKeys() {
        for domain in domains where domain.keys.isEmpty {
            log.warning(
                "the domain has no keys: `windrow key \(domain.name) NAME` makes one",
                metadata: ["file": "\(domain.keys.path ?? "")"])
        }
    }
}
