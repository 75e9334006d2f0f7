import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes
import Synchronization
import Zlib

/// The body of a request, whole. Its memory counts against the domain's bound until the last reference goes.
struct RequestBytes: Sendable {
    fileprivate var buffer: ByteBuffer
    fileprivate let lease: MemoryLease

    /// Gives the bytes, with `JSONTokens.padding` more behind them, to be parsed in place.
    consuming func withPaddedBytes<R, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R {
        buffer.writeRepeatingByte(0, count: JSONTokens.padding)
        let result = buffer.withUnsafeMutableReadableBytes { bytes in
            Result { () throws(E) -> R in try body(bytes) }
        }
        return try result.get()
    }
}

/// Memory taken from a budget, given back with the last reference.
private final class MemoryLease: Sendable {
    private let budget: MemoryBudget
    private let bytes = Atomic(0)

    init(of budget: MemoryBudget) {
        self.budget = budget
    }

    /// False when there is no more; what was taken before stays taken.
    func grow(by count: Int) -> Bool {
        guard budget.acquire(count, timeout: .zero) else { return false }
        bytes.add(count, ordering: .relaxed)
        return true
    }

    deinit {
        budget.release(bytes.load(ordering: .relaxed))
    }
}

/// Reads bodies into memory, inflating them as they come: each is bounded, and so are all of a domain together.
final class BodyReader: Sendable {
    /// Bytes of a body, inflated.
    let limit: Int
    private let budget: MemoryBudget

    /// So many bodies of the largest size may be in memory at once, or more smaller ones.
    private static let bodiesAtOnce = 4

    init(limit: Int) {
        self.limit = limit
        budget = MemoryBudget(limit: limit * Self.bodiesAtOnce)
    }

    func read(_ request: Request, channel: any Channel) async throws(Problem) -> RequestBytes {
        try checkMediaType(request.headers[.contentType])
        let inflater = try inflater(request.headers[.contentEncoding])
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        // Deflated it is larger by a few bytes at most.
        if announced > limit + 1024 || inflater == nil && announced > limit { throw tooLarge }

        var body = RequestBytes(buffer: ByteBuffer(), lease: MemoryLease(of: budget))
        // Memory that is reserved and never filled costs nothing.
        if inflater == nil { body.buffer.reserveCapacity(announced + JSONTokens.padding) }
        do {
            if request.headers[.expect]?.lowercased() == "100-continue" { try await sendContinue(channel) }
            for try await piece in request.body {
                try piece.withUnsafeReadableBytes { bytes in
                    if let inflater {
                        try inflater.inflate(bytes) { try append($0, to: &body) }
                    } else {
                        try append(bytes, to: &body)
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

    private func append(_ bytes: UnsafeRawBufferPointer, to body: inout RequestBytes) throws(Problem) {
        guard body.buffer.readableBytes + bytes.count <= limit else { throw tooLarge }
        guard body.lease.grow(by: bytes.count) else {
            throw .tooManyRequests("the bodies of the requests that are under way take too much memory")
        }
        body.buffer.writeBytes(bytes)
    }

    private var tooLarge: Problem {
        Problem(
            Rejection(
                .tooLarge,
                "the body has more than \(limit) bytes, inflated (http.max_body, and a thirty-second of journal.max_size)"
            ))
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
