import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// Serves `http.admin`: health, readiness and metrics, for probes and for Prometheus, and the status page for people.
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
            responder: AdminResponder(status: status, tail: tail, page: StatusResponder(status, at: address)),
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: Int(address.port)), serverName: "windrow"),
            onServerRunning: { _ in didStart() }, logger: log)
        do {
            try await application.run()
        } catch {
            throw ListenError(key: "http.admin", address: "\(address)", error) ?? error
        }
    }
}

private struct AdminResponder: HTTPResponder {
    typealias Context = BridgeContext

    let status: DaemonStatus
    let tail: Tail
    let page: StatusResponder

    func respond(to request: Request, context: Context) async -> Response {
        var response: Response
        do throws(Problem) {
            response = try await answer(request)
        } catch {
            response = error.response
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request) async throws(Problem) -> Response {
        let target = request.head.path ?? ""
        guard target.utf8.count <= Problem.longestTarget else { throw .targetTooLong }
        guard request.method == .get || request.method == .head else { throw .methodNotAllowed("GET, HEAD") }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        switch parts[0] {
        case "/healthz":
            let stuck = status.liveness.stuck
            return Self.text(
                stuck.isEmpty ? .ok : .serviceUnavailable, stuck.isEmpty ? ["alive"] : stuck.map { "stuck: \($0)" })
        case "/readyz":
            let failures = status.failures
            return Self.text(failures.isEmpty ? .ok : .serviceUnavailable, failures.isEmpty ? ["ready"] : failures)
        case "/metrics":
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: PrometheusText.render(status))))
        case "/tail":
            return try watch(request)
        default: return try await page.answer(request, parts[0], parts.count == 2 ? parts[1] : nil)
        }
    }

    private func watch(_ request: Request) throws(Problem) -> Response {
        // It shows what is sent.
        try page.checkHost(of: request)
        var filter = Tail.Filter()
        filter.domain = request.uri.queryParameters["domain"].map(String.init)
        filter.rejectedOnly = request.uri.queryParameters["rejected"] == "true"
        if let topic = request.uri.queryParameters["topic"] {
            guard let topic = TopicFilter(String(topic)) else { return Self.text(.badRequest, ["topic is no filter"]) }
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

    private static func text(_ status: HTTPResponse.Status, _ lines: [String]) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: lines.joined(separator: "\n") + "\n")))
    }
}
