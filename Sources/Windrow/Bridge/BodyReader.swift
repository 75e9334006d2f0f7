import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes
import Zlib

/// Reads bodies into memory, inflating them as they come: each is bounded, and so are all of a domain together.
final class BodyReader: Sendable {
    /// Bytes of a body, inflated.
    struct Limit: Sendable {
        let bytes: Int
        private let isJournals: Bool

        /// - Parameter largestRecord: bytes that the journal takes at most.
        init(maxBody: Int, largestRecord: Int) {
            bytes = min(maxBody, largestRecord)
            isJournals = largestRecord < maxBody
        }

        fileprivate var memory: Int { bytes * BodyReader.bodiesAtOnce }

        fileprivate var problem: Problem {
            let source = isJournals ? "a thirty-second of journal.max_size, less than http.max_body" : "http.max_body"
            return Problem(Rejection(.tooLarge, "the body has more than \(bytes) bytes (\(source))"))
        }
    }

    private let limit: Live<Limit>
    private let budget: MemoryBudget

    /// So many bodies of the largest size may be in memory at once, or more smaller ones.
    private static let bodiesAtOnce = 4

    init(_ limit: Limit) {
        self.limit = Live(limit)
        budget = MemoryBudget(limit: limit.memory)
    }

    /// For the requests that come from now on.
    func setLimit(_ fresh: Limit) {
        limit.current = fresh
        budget.setLimit(fresh.memory)
    }

    func read(_ request: Request, channel: any Channel) async throws(Problem) -> RequestBytes {
        try checkMediaType(request.headers[.contentType])
        let inflater = try inflater(request.headers[.contentEncoding])
        // At worst deflate stores: five bytes for each block of 64 KiB (RFC 1951, section 3.2.4).
        let limit = limit.current
        let sentLimit = inflater == nil ? limit.bytes : limit.bytes + limit.bytes / 1000 + 1024
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard announced <= sentLimit else { throw limit.problem }

        var body = RequestBytes(lease: MemoryLease(of: budget))
        // Memory that is reserved and never filled costs nothing.
        if inflater == nil { body.buffer.reserveCapacity(announced + JSONTokens.padding) }
        do {
            if request.headers[.expect]?.lowercased() == "100-continue" { try await sendContinue(channel) }
            var sent = 0
            for try await piece in request.body {
                sent += piece.readableBytes
                guard sent <= sentLimit else { throw limit.problem }
                try piece.withUnsafeReadableBytes { bytes in
                    if let inflater {
                        try inflater.inflate(bytes) { try append($0, to: &body, limit) }
                    } else {
                        try append(bytes, to: &body, limit)
                    }
                }
            }
            try inflater?.finish()
        } catch let problem as Problem {
            throw problem
        } catch let error as GzipError {
            throw .badBody("Content-Encoding is gzip, and the body has \(error)")
        } catch {
            throw .malformedRequest
        }
        return body
    }

    private func append(_ bytes: UnsafeRawBufferPointer, to body: inout RequestBytes, _ limit: Limit) throws(Problem) {
        guard body.buffer.readableBytes + bytes.count <= limit.bytes else { throw limit.problem }
        guard body.lease.grow(by: bytes.count) else {
            throw .tooManyRequests("the bodies of the requests that are under way take too much memory")
        }
        body.buffer.writeBytes(bytes)
    }

    private func checkMediaType(_ type: String?) throws(Problem) {
        // Without a word it is what it has to be.
        guard let type else { return }
        let name = type.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard name == JSONText.mediaType else {
            throw .unsupportedMediaType(
                "Content-Type is \(String(quoting: type)), expected \(JSONText.mediaType)",
                accepted: JSONText.mediaType,
                field: .accept)
        }
    }

    private func inflater(_ encoding: String?) throws(Problem) -> GzipInflater? {
        switch encoding?.lowercased() {
        case nil, "identity": return nil
        case "gzip", "x-gzip": return GzipInflater()
        case let encoding?:
            throw .unsupportedMediaType(
                "Content-Encoding is \(String(quoting: encoding)), expected gzip or none", accepted: "gzip",
                field: .acceptEncoding)
        }
    }

    /// The sender waits for this before it sends the body (RFC 9110, section 10.1.1).
    private func sendContinue(_ channel: any Channel) async throws {
        try await channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)))
    }
}
