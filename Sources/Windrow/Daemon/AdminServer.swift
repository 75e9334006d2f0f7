import Glibc
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// Serves `http.admin`: health, readiness and metrics, for probes and for Prometheus.
struct AdminServer: Service {
    let address: Configuration.ListenAddress
    let status: DaemonStatus
    let tail: Tail
    /// Called once the address is taken.
    let didStart: @Sendable () -> Void

    func run() async throws {
        var log = Logger(label: "windrow.admin")
        // Hummingbird's own lines about a server that starts and stops say nothing to an operator.
        log.logLevel = .critical
        let application = Application(
            router: router(),
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: Int(address.port)), serverName: "windrow"),
            onServerRunning: { _ in didStart() }, logger: log)
        do {
            try await application.run()
        } catch {
            throw ListenError(key: "http.admin", address: "\(address)", error) ?? error
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/healthz") { _, _ in
            let stuck = status.liveness.stuck
            return Self.text(
                stuck.isEmpty ? .ok : .serviceUnavailable, stuck.isEmpty ? ["alive"] : stuck.map { "stuck: \($0)" })
        }
        router.get("/readyz") { _, _ in
            let failures = status.failures
            return Self.text(failures.isEmpty ? .ok : .serviceUnavailable, failures.isEmpty ? ["ready"] : failures)
        }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: PrometheusText.render(status))))
        }
        router.get("/tail") { request, _ in
            var filter = Tail.Filter()
            filter.domain = request.uri.queryParameters["domain"].map(String.init)
            filter.rejectedOnly = request.uri.queryParameters["rejected"] == "true"
            if let topic = request.uri.queryParameters["topic"] {
                guard let topic = TopicFilter(String(topic)) else {
                    return Self.text(.badRequest, ["topic is no filter"])
                }
                filter.topic = topic
            }
            guard let lines = tail.watch(filter) else {
                return Self.text(.serviceUnavailable, ["as many as can watch already; try again later"])
            }
            return Response(
                status: .ok, headers: [.contentType: "application/x-ndjson"],
                body: ResponseBody { writer in
                    for await line in lines { try await writer.write(ByteBuffer(string: line)) }
                    try await writer.finish(nil)
                })
        }
        return router
    }

    private static func text(_ status: HTTPResponse.Status, _ lines: [String]) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: lines.joined(separator: "\n") + "\n")))
    }
}
