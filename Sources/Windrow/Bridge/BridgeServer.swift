import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Serves the REST call on `http.listen`.
struct BridgeServer: Service {
    private let settings: Live<Configuration.HTTP>
    private let address: Configuration.BridgeAddress
    /// The service manager's socket, which is used in place of the address.
    private let passed: PassedSocket?
    private let domains: [DomainBridge]
    private let identity: ServerIdentity?
    /// Open at once.
    private let connections: Int
    private let log: Logger
    /// Ends when this may listen.
    private let mayStart: AsyncStream<Void>
    /// Called once the address is taken.
    private let didStart: @Sendable () -> Void

    /// What waits for PostgreSQL when the daemon stops waits no longer than this.
    private static let stopTime = Duration.seconds(3)

    /// Reads keys and certificate.
    init(
        _ settings: Live<Configuration.HTTP>, at address: Configuration.BridgeAddress, passed: PassedSocket?,
        domains: [DomainBridge], log: Logger, mayStart: AsyncStream<Void>, didStart: @escaping @Sendable () -> Void
    ) throws {
        self.settings = settings
        self.address = address
        self.passed = passed
        self.domains = domains
        self.log = log
        self.mayStart = mayStart
        self.didStart = didStart
        connections = ProcessLimits.connections(
            upTo: settings.current.maxConnections, besides: domains.count, log)
        identity = try settings.current.tls.map { try ServerIdentity($0) }
        readKeys()
    }

    /// nil without TLS.
    var certificateExpiry: Timestamp? { identity?.expiry }

    func run() async throws {
        for await _ in mayStart {}
        if Task.isCancelled { return }
        let listener = try await listen()
        didListen(at: listener.address)
        try await withGracefulShutdownHandler {
            try await listener.serve()
        } onGracefulShutdown: {
            Task {
                try await Task.sleep(for: Self.stopTime)
                for domain in domains { domain.receipts.stop() }
            }
        }
    }

    private func listen() async throws -> Listener<BridgeChannel> {
        var quiet = Logger(label: "windrow.http")
        // Hummingbird's own lines about connections say nothing to an operator.
        quiet.logLevel = .critical
        let channel = BridgeChannel(settings, identity: identity, responder: responder(quiet))
        if passed == nil, case .unix(let path) = address, UnixSocket.isServed(path) { throw failure(EADDRINUSE) }
        do {
            return try await Listener(
                at: address, passed: passed, maxConnections: connections, connection: channel, log: quiet)
        } catch is UnixDomainSocketPathWrongType {
            // Something that is no socket.
            throw failure(EEXIST)
        } catch {
            throw ListenError(key: "http.listen", address: "\(address)", error) ?? error
        }
    }

    private func responder(_ log: Logger) -> HTTPChannelHandler.Responder {
        let responder = BridgeResponder(domains: Dictionary(uniqueKeysWithValues: domains.map { ($0.name, $0) }))
        return { request, writer, channel in
            var response = await responder.respond(
                to: request, context: BridgeContext(source: .init(channel: channel, logger: log)))
            response.headers[.date] = HTTPDate.now
            response.headers[.server] = "windrow"
            try await writer.write(response: response.head, body: response.body)
        }
    }

    private func failure(_ code: Int32) -> ListenError {
        ListenError(key: "http.listen", address: "\(address)", code: code)
    }

    /// Reads keys and certificate anew, each by itself: one that cannot be read leaves what there was.
    func reload() {
        readKeys()
        guard let identity, let files = settings.current.tls else { return }
        do {
            try identity.reload(files)
            log.notice("certificate read anew")
        } catch {
            log.error("the certificate stays as it was", metadata: ["error": "\(error)"])
        }
    }

    private func didListen(at actual: SocketAddress?) {
        // As on loopback, whoever is on this machine may connect, and keys decide; the folder may say less. (Of a socket that was passed
        // the service manager decides, SocketMode=.)
        if passed == nil, case .unix(let path) = address, chmod(path, 0o666) != 0 {
            log.error("only this user can reach the socket", metadata: ["error": "\(String(cString: strerror(errno)))"])
        }
        let actual = actual.flatMap { Configuration.BridgeAddress($0) } ?? address
        if passed != nil, !address.isSame(as: actual) {
            log.warning(
                "the service manager listens elsewhere than http.listen says; its socket is used",
                metadata: ["http.listen": "\(address)", "address": "\(actual)"])
        }
        log.notice(
            passed == nil ? "listening" : "listening on the service manager's socket",
            metadata: [
                "address": "\(actual)", "tls": "\(identity != nil)",
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
