import Foundation
import Hummingbird
import LibPQ
import NIOCore

/// Answers the status page and what it asks for. Everything is read only.
struct StatusResponder: Sendable {
    private let status: DaemonStatus
    private let hosts: HostGuard
    private let startedAt = Timestamp.now

    /// Stretches of time of a plot at most.
    private static let mostBuckets = 300

    init(_ status: DaemonStatus, at address: Configuration.ListenAddress) {
        self.status = status
        hosts = HostGuard(configured: address.host)
    }

    func answer(_ request: Request, _ path: Substring, _ query: Substring?) async throws(Problem) -> Response {
        try checkHost(of: request)
        switch path {
        case "/": return Self.file(PackageResources.page_html, "text/html; charset=utf-8")
        case "/page.css": return Self.file(PackageResources.page_css, "text/css; charset=utf-8")
        case "/page.js": return Self.file(PackageResources.page_js, "text/javascript; charset=utf-8")
        case "/api/status":
            let query = try Query(query, known: ["domain"])
            return try Self.json(StatusAnswer(status, startedAt: startedAt, historyOf: query["domain"]))
        case "/api/series":
            return try Self.json(await series(Query(query, known: ["domain", "search", "order", "limit"])))
        case "/api/points":
            return try Self.json(await points(Query(query, known: ["domain", "series", "start", "end"])))
        case "/api/dead-letters":
            let domain = try domain(Query(query, known: ["domain"]))
            return try Self.json(DeadLettersAnswer(domain: domain.name, reasons: await domain.status.deadLetters()))
        default: throw .unknownAdminPath
        }
    }

    func checkHost(of request: Request) throws(Problem) {
        guard hosts.admits(request.head.authority) else { throw .foreignHost }
    }

    private func domain(_ query: Query) throws(Problem) -> DomainPipeline {
        guard let name = query["domain"] else { throw Problem(badParameter: "domain", "domain is missing") }
        guard let domain = status.domains.first(where: { $0.name == name }) else { throw .unknownDomain(name) }
        return domain
    }

    // MARK: Series

    private func series(_ query: Query) async throws(Problem) -> SeriesAnswer {
        let domain = try domain(query)
        let limit = try limit(query)
        let search = query["search"] ?? ""
        let order = query["order"] ?? SeriesSurvey.Order.silence.rawValue
        let counts = domain.status.survey()
        var answer = SeriesAnswer(
            domain: domain.name, active: counts.active, silent: counts.silent, rows: [], isCut: false)
        if !search.isEmpty || order == "name" {
            guard let search = SeriesSearch(search) else { return answer }
            let found = try await domain.status.ask { reader throws(PostgresError) in
                try await reader.find(search, limit: limit + 1)
            }
            answer.isCut = found.count > limit
            answer.rows = found.prefix(limit).map {
                SeriesAnswer.Row($0.id, $0.name, newest: $0.newest, domain.status.row(of: $0.id))
            }
            return answer
        }
        guard let order = SeriesSurvey.Order(rawValue: order) else {
            throw Problem(
                badParameter: "order",
                "order is \(String(quoting: order)), expected silence, recent, rate or name")
        }
        let survey = domain.status.survey(order)
        let rows = survey.rows.prefix(limit)
        var names: [SeriesID: SeriesName] = [:]
        do throws(Problem) {
            names = try await domain.status.ask { reader throws(PostgresError) in
                try await reader.names(of: rows.map(\.pace.id))
            }
        } catch {
            answer.problem = error.detail
        }
        answer.isCut = survey.active > rows.count
        answer.rows = rows.map { SeriesAnswer.Row($0.pace.id, names[$0.pace.id], newest: nil, $0) }
        return answer
    }

    private func limit(_ query: Query) throws(Problem) -> Int {
        guard let text = query["limit"] else { return 50 }
        guard let limit = Int(text), (1...DomainStatus.mostRows).contains(limit) else {
            throw Problem(
                badParameter: "limit",
                "limit is \(String(quoting: text)), expected a number from 1 to \(DomainStatus.mostRows)")
        }
        return limit
    }

    private func points(_ query: Query) async throws(Problem) -> PointsAnswer {
        let domain = try domain(query)
        guard let series = query["series"].flatMap({ Int32($0) }) else {
            throw Problem(badParameter: "series", "series is missing or not the number of a series")
        }
        let end = try query.timestamp("end") ?? .now
        let start = try query.timestamp("start") ?? Timestamp(before: end, by: .seconds(86_400))
        guard start < end else { throw Problem(badParameter: "start", "start is not before end") }
        let range = TimeRange(first: start, last: end)
        let buckets = try await domain.status.ask { reader throws(PostgresError) in
            try await reader.buckets(of: SeriesID(series), in: range, count: Self.mostBuckets)
        }
        return PointsAnswer(buckets, in: range)
    }

    // MARK: Answers

    /// Nothing from elsewhere, and nothing of the page's own but what is served here.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src data:",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ].joined(separator: "; ")

    private static func file(_ bytes: [UInt8], _ type: String) -> Response {
        var response = response(ByteBuffer(bytes: bytes), type)
        response.headers[.contentSecurityPolicy] = policy
        return response
    }

    private static func json(_ answer: some Encodable) throws(Problem) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do {
            return response(ByteBuffer(bytes: try encoder.encode(answer)), JSONText.mediaType)
        } catch {
            // A number that is not finite: all that come from outside are made null before.
            throw .unavailable("the answer cannot be written as JSON: \(error)", retryAfter: 5)
        }
    }

    private static func response(_ body: ByteBuffer, _ type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"], body: ResponseBody(byteBuffer: body))
    }
}
