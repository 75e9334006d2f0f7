import HTTPTypes
import Hummingbird
import NIOCore
import NIOEmbedded
import Synchronization

@testable import Windrow

/// A gzip body on its way through the server's `BodyReader`.
enum SentBody {
    private static let limit = 1 << 13
    /// Nothing is written to it: that takes a sender who waits for permission.
    private static let channel = NIOAsyncTestingChannel()

    /// nil when it is refused. In whatever pieces it comes.
    static func inflate(_ sent: [UInt8]) throws(Violation) -> [UInt8]? {
        let whole = read(sent, pieces: sent.count)
        try check(whole == read(sent, pieces: 1 + sent.count % 13), "gzip in pieces is another body")
        try check((whole?.count ?? 0) <= limit, "more bytes than the limit")
        return whole
    }

    /// As the server reads a body; nil when it is refused.
    static func read(_ sent: [UInt8], pieces size: Int) -> [UInt8]? {
        let pieces = stride(from: 0, to: sent.count, by: max(size, 1)).map { start in
            ByteBuffer(bytes: sent[start..<min(start + size, sent.count)])
        }
        let request = Request(
            head: HTTPRequest(
                method: .post, scheme: "http", authority: "localhost", path: "/",
                headerFields: [.contentEncoding: "gzip"]),
            body: RequestBody(
                asyncSequence: AsyncStream { continuation in
                    for piece in pieces { continuation.yield(piece) }
                    continuation.finish()
                }))
        let reader = BodyReader(BodyReader.Limit(maxBody: limit, largestRecord: limit))
        return wait {
            guard let body = try? await reader.read(request, channel: channel) else { return nil }
            return Array(body.buffer.readableBytesView)
        }
    }

    /// Here and now: what has all that it waits for needs no other thread, and handing over to one takes long on a busy machine.
    private static func wait(_ body: @escaping @Sendable () async -> [UInt8]?) -> [UInt8]? {
        let executor = InlineExecutor()
        let outcome = Mutex<[UInt8]??>(nil)
        Task(executorPreference: executor) {
            let value = await body()
            outcome.withLock { $0 = value }
        }
        executor.run()
        guard let value = outcome.withLock({ $0 }) else { preconditionFailure("it waits for something") }
        return value
    }

    /// Stored, not deflated (RFC 1951, section 3.2.4), as one member (RFC 1952).
    static func gzip(_ body: [UInt8]) -> [UInt8] {
        var packed: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        func bytes(_ integer: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: integer.littleEndian) { Array($0) }
        }
        var rest = body[...]
        repeat {
            let block = rest.prefix(0xFFFF)
            rest = rest.dropFirst(0xFFFF)
            let count = UInt16(block.count)
            packed += [rest.isEmpty ? 1 : 0] + bytes(count) + bytes(~count) + block
        } while !rest.isEmpty
        var crc: UInt32 = ~0
        for byte in body {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return packed + bytes(~crc) + bytes(UInt32(body.count))
    }
}

/// Runs what is enqueued on the thread that calls `run`.
private final class InlineExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    func run() {
        while let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
