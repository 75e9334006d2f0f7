import Hummingbird
import NIOCore

/// Finds the domain and the call of a request: `/{domain}/api/v1/timeseries`, and `/openapi.json`.
struct BridgeResponder: HTTPResponder {
    typealias Context = BridgeContext

    let domains: [String: DomainBridge]

    func respond(to request: Request, context: Context) async -> Response {
        do throws(Problem) {
            return try await answer(request, context)
        } catch {
            return error.response
        }
    }

    private func answer(_ request: Request, _ context: Context) async throws(Problem) -> Response {
        let target = request.head.path ?? ""
        guard target.utf8.count <= Problem.longestTarget else { throw .targetTooLong }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        if path == ["", "openapi.json"] {
            guard request.method == .get || request.method == .head else { throw .methodNotAllowed("GET, HEAD") }
            return OpenAPI.response
        }
        guard path.count == 5, path[0] == "", path[2...] == ["api", "v1", "timeseries"] else { throw .unknownPath }
        guard let domain = domains[String(path[1])] else { throw .unknownDomain(String(path[1])) }
        let query = parts.count == 2 ? parts[1] : nil
        let started = ContinuousClock.now
        do throws(Problem) {
            let response = try await call(domain, request, query, context)
            domain.metrics.answered(request.method, response.status.code, took: .now - started)
            return response
        } catch {
            domain.metrics.answered(request.method, error.status.code, took: .now - started)
            if domain.isWatched { domain.show(error, of: request) }
            throw error
        }
    }

    private func call(
        _ domain: DomainBridge, _ request: Request, _ query: Substring?, _ context: Context
    ) async throws(Problem) -> Response {
        guard request.method == .get || request.method == .post else { throw .methodNotAllowed("GET, POST") }
        guard domain.keys.name(authorization: request.headers[.authorization]) != nil else {
            throw .unauthorized(domain: domain.name)
        }
        if request.method == .get {
            return try await domain.read(Query(query, known: DomainBridge.readParameters))
        }
        return try await domain.write(
            request, Query(query, known: DomainBridge.writeParameters), channel: context.channel)
    }
}

/// What Hummingbird gives with a request.
struct BridgeContext: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
    }
}
