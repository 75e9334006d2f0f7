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
        readKeys()
    }

    /// nil without TLS.
    var certificateExpiry: Timestamp? { identity?.expiry }

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
        if case .unix(let path) = address, UnixSocket.isServed(path) { throw failure(EADDRINUSE) }
        do {
            try await withGracefulShutdownHandler {
                try await application.run()
            } onGracefulShutdown: {
                Task {
                    try await Task.sleep(for: Self.stopTime)
                    for domain in domains { domain.receipts.stop() }
                }
            }
        } catch is UnixDomainSocketPathWrongType {
            // Something that is no socket.
            throw failure(EEXIST)
        } catch {
            throw ListenError(key: "http.listen", address: "\(address)", error) ?? error
        }
    }

    private func failure(_ code: Int32) -> ListenError {
        ListenError(key: "http.listen", address: "\(address)", code: code)
    }

    /// Reads keys and certificate anew, each by itself: one that cannot be read leaves what there was.
    func reload() {
        readKeys()
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
        if case .unix(let path) = address, chmod(path, 0o666) != 0 {
            log.error("only this user can reach the socket", metadata: ["error": "\(String(cString: strerror(errno)))"])
        }
        log.notice(
            "listening",
            metadata: [
                "address": "\(address)", "tls": "\(identity != nil)",
                "domains": "\(domains.map(\.name).joined(separator: " "))",
            ])
        didStart()
    }

    /// Domains share nothing: where keys cannot be read, the others, and what comes by MQTT, go on.
    private func readKeys() {
        for domain in domains {
            let file: Logger.Metadata = ["domain": "\(domain.name)", "file": "\(domain.keys.path ?? "")"]
            do {
                let count = try domain.keys.reload()
                log.notice("keys read", metadata: file.merging(["keys": "\(count)"]) { $1 })
                if count == 0 {
                    log.warning("the domain has no keys: `windrow key \(domain.name) NAME` makes one", metadata: file)
                }
            } catch {
                log.error("the keys stay as they were", metadata: file.merging(["error": "\(error)"]) { $1 })
            }
        }
    }
}
