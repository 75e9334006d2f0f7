import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// An answer that says what is wrong, as `application/problem+json` (RFC 9457). Everything that is not a success becomes one of these,
/// and only here is decided which status that is.
struct Problem: Error, Sendable {
    var status: HTTPResponse.Status
    /// A word that stays the same, for programs; the last part of `type`.
    var kind: String
    var detail: String
    /// Where in the body, as a JSON pointer (RFC 6901).
    var pointer: String?
    /// Which parameter of the query.
    var parameter: String?
    /// Set when the body is at fault.
    var reason: Rejection.Reason?
    var headers = HTTPFields()

    private init(
        _ status: HTTPResponse.Status, _ kind: String, _ detail: String, pointer: String? = nil,
        parameter: String? = nil
    ) {
        self.status = status
        self.kind = kind
        self.detail = detail
        self.pointer = pointer
        self.parameter = parameter
    }

    // MARK: What was sent

    init(_ rejection: Rejection) {
        self.init(
            Self.status(of: rejection.reason), rejection.reason.rawValue, rejection.detail, pointer: rejection.pointer)
        reason = rejection.reason
    }

    private static func status(of reason: Rejection.Reason) -> HTTPResponse.Status {
        switch reason {
        case .badNode, .badTag, .emptyPayload, .invalidUTF8, .malformedJSON, .tooDeep, .wrongShape, .badValue,
            .badTimestamp,
            .badOverwrite, .badWindow, .outsideWindow, .wrongTopic:
            .badRequest
        case .unknownNode: .notFound
        case .tooLarge: .contentTooLarge
        case .timestampOutOfBounds, .windowTooLong, .refusedByDatabase: .unprocessableContent
        case .journalDamaged: .internalServerError
        }
    }

    /// The journal did not take it.
    init(_ error: JournalError) {
        let why =
            switch error.kind {
            case .full: "the journal or its disk is full; PostgreSQL may have been away for long"
            case .closing: "the daemon is stopping"
            case .failed, .unusable, .locked, .tooNew:
                "the journal cannot be written; its operator finds more in the log"
            }
        self = .unavailable(why, retryAfter: error.kind == .full ? 30 : 5)
    }

    init(badParameter name: String?, _ detail: String) {
        self.init(.badRequest, "bad_parameter", detail, parameter: name)
    }

    static func badBody(_ detail: String) -> Problem {
        Problem(.badRequest, "bad_body", detail)
    }

    static func unsupportedMediaType(_ detail: String, accepted: String, field: HTTPField.Name) -> Problem {
        var problem = Problem(.unsupportedMediaType, "unsupported_media_type", detail)
        problem.headers[field] = accepted
        return problem
    }

    // MARK: Where it was sent

    static func unauthorized(domain: String) -> Problem {
        var problem = Problem(
            .unauthorized, "unauthorized",
            "no or a wrong key for the domain \(domain); send Authorization: Key SECRET, with a secret made by `windrow key "
                + "\(domain) NAME`")
        problem.headers[.wwwAuthenticate] = "Key realm=\"\(domain)\""
        return problem
    }

    static func unknownDomain(_ name: String) -> Problem {
        Problem(.notFound, "unknown_domain", "there is no domain \(String(quoting: name)) that takes HTTP")
    }

    static let unknownPath = Problem(
        .notFound, "not_found",
        "there is nothing here; the call is /DOMAIN/api/v1/timeseries, its description is /openapi.json")

    static let unknownAdminPath = Problem(
        .notFound, "not_found",
        "there is nothing here; the status page is /, and there are /healthz, /readyz and /metrics")

    static let foreignHost = Problem(
        .misdirectedRequest, "foreign_host",
        "the status page answers by an IP address, as localhost, by this machine's name and by the host in http.admin only; "
            + "have a proxy send one of these as Host")

    static func methodNotAllowed(_ allowed: String) -> Problem {
        var problem = Problem(.methodNotAllowed, "method_not_allowed", "the methods here are \(allowed)")
        problem.headers[.allow] = allowed
        return problem
    }

    /// Bytes of a request's target.
    static let longestTarget = 8192
    static let targetTooLong = Problem(
        .uriTooLong, "uri_too_long", "the request's target has more than \(longestTarget) bytes")

    // MARK: When it was sent

    static func tooManyRequests(_ what: String) -> Problem {
        retry(Problem(.tooManyRequests, "too_many_requests", what), after: 1)
    }

    static func unavailable(_ why: String, retryAfter seconds: Int) -> Problem {
        retry(Problem(.serviceUnavailable, "unavailable", why), after: seconds)
    }

    private static func retry(_ problem: Problem, after seconds: Int) -> Problem {
        var problem = problem
        problem.headers[.retryAfter] = "\(seconds)"
        return problem
    }

    // MARK: What is no request

    static let requestTimeout = Problem(
        .requestTimeout, "request_timeout", "the request did not arrive whole in time (http.request_timeout)")
    static let malformedRequest = Problem(.badRequest, "malformed_request", "this is no well-formed HTTP request")
    /// Bytes and fields of a request's head, its target included.
    static let largestHead = 32 << 10
    static let mostFields = 100
    static let headerTooLarge = Problem(
        .requestHeaderFieldsTooLarge, "header_too_large",
        "the request's head is larger than \(largestHead) bytes, or has more than \(mostFields) fields")

    // MARK: Rendering

    /// The members of RFC 9457, section 3.1, and two of our own.
    private struct Body: Encodable {
        var type: String
        var title: String
        var status: Int
        var detail: String
        var pointer: String?
        var parameter: String?
    }

    private var body: ByteBuffer {
        let body = Body(
            type: "urn:windrow:problem:\(kind)", title: status.reasonPhrase, status: status.code, detail: detail,
            pointer: pointer, parameter: parameter)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        // Texts and numbers only: it cannot fail.
        return ByteBuffer(bytes: (try? encoder.encode(body)) ?? Data())
    }

    var response: Response { response(body) }

    /// For a client that is told nothing more.
    var lastAnswer: (head: HTTPResponse, body: ByteBuffer) {
        let body = body
        var head = response(body).head
        head.headerFields[.connection] = "close"
        return (head, body)
    }

    private func response(_ body: ByteBuffer) -> Response {
        var headers = headers
        headers[.contentType] = "application/problem+json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}
