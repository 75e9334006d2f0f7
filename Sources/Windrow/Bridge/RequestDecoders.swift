import Synchronization

/// Decodes the requests of a domain: small ones at once, with decoders that keep the memory they have grown; a large one on a thread of
/// its own, since it may take long enough to hold up all that shares Swift's threads.
final class RequestDecoders: Sendable {
    // Sendable unchecked: a decoder is either in the pool or with the one caller that took it out.
    private struct Idle: @unchecked Sendable {
        var decoders: [RequestDecoder] = []
    }

    private let idle = Mutex(Idle())
    /// As many as there can be work for.
    private let limit: Int
    /// Bytes; 1 MiB takes some milliseconds.
    private static let largestAtOnce = 1 << 20

    init(limit: Int) {
        self.limit = limit
    }

    /// As `RequestDecoder.decode`.
    func decode(
        _ body: consuming RequestBytes, overwrite: Overwrite, guards: Guards
    ) async throws(Problem) -> DecodedRequest {
        let result: Result<DecodedRequest, Rejection>
        if body.count > Self.largestAtOnce {
            result = await LargeRequest().decode(body, overwrite, guards)
        } else {
            let decoder = take()
            result = body.decode(by: decoder, overwrite, guards)
            give(decoder)
        }
        do throws(Rejection) {
            return try result.get()
        } catch {
            throw Problem(error)
        }
    }

    private func take() -> RequestDecoder {
        let taken = idle.withLock { idle in Idle(decoders: idle.decoders.popLast().map { [$0] } ?? []) }
        return taken.decoders.first ?? RequestDecoder()
    }

    private func give(_ decoder: RequestDecoder) {
        let given = Idle(decoders: [decoder])
        idle.withLock { [limit] idle in if idle.decoders.count < limit { idle.decoders += given.decoders } }
    }
}

/// A thread for one request.
private actor LargeRequest {
    nonisolated private let executor = ThreadExecutor(name: "large request")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func decode(
        _ body: consuming RequestBytes, _ overwrite: Overwrite, _ guards: Guards
    ) -> Result<DecodedRequest, Rejection> {
        body.decode(by: RequestDecoder(), overwrite, guards)
    }
}
