import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Where points are posted, and with which key.
public struct RequestTarget: Sendable {
    public var host: String
    public var port: Int
    /// Of the call, such as `/demo/api/v1/timeseries`.
    public var path: String
    public var secret: String?
    /// Nil for plain HTTP.
    public var tls: TLS?

    /// PEM files, as for MQTT.
    public struct TLS: Sendable {
        public var caFile: String?
        public var certificateFile: String?
        public var keyFile: String?

        public init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
            self.caFile = caFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    public init(host: String, port: Int, path: String, secret: String?, tls: TLS?) {
        self.host = host
        self.port = port
        self.path = path
        self.secret = secret
        self.tls = tls
    }

    var address: String { (tls == nil ? "http" : "https") + "://\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// - Throws: `.setup` if a file cannot be used.
    func makeTLSContext() throws(SimulationError) -> NIOSSLContext? {
        guard let tls else { return nil }
        var settings = TLSConfiguration.makeClientConfiguration()
        settings.minimumTLSVersion = .tlsv12
        do {
            if let file = tls.caFile { settings.trustRoots = .file(file) }
            if let certificate = tls.certificateFile, let key = tls.keyFile {
                settings.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
                settings.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            }
            return try NIOSSLContext(configuration: settings)
        } catch {
            throw SimulationError(
                .setup, "cannot use the TLS files: \(error); all must be PEM, and certificate and key belong together")
        }
    }
}

/// What a server answers.
struct Answer: Sendable {
    var status: Int
    /// Seconds.
    var retryAfter: Int?
    var body: ByteBuffer

    /// What a problem says of itself (RFC 9457), or else its beginning.
    var detail: String {
        let text = String(buffer: body)
        guard let start = text.range(of: #""detail":""#) else { return String(text.prefix(200)) }
        var detail = ""
        var isEscaped = false
        for character in text[start.upperBound...] {
            if character == "\"", !isEscaped { break }
            isEscaped = character == "\\" && !isEscaped
            if !isEscaped { detail.append(character) }
        }
        return detail
    }
}

/// A keep-alive connection of an HTTP/1.1 client, for one request at a time.
final class RequestConnection: Sendable {
    private let channel: any Channel
    private let reader: NIOLoopBound<AnswerReader>
    private let target: RequestTarget

    private init(_ channel: any Channel, _ reader: NIOLoopBound<AnswerReader>, _ target: RequestTarget) {
        self.channel = channel
        self.reader = reader
        self.target = target
    }

    static func connect(
        _ target: RequestTarget, _ tls: NIOSSLContext?, on loop: any EventLoop
    ) -> EventLoopFuture<RequestConnection> {
        let isName = (try? SocketAddress(ipAddress: target.host, port: 0)) == nil
        return ClientBootstrap(group: loop)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: isName ? target.host : nil))
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(AnswerReader())
                }
            }
            .connect(host: target.host, port: target.port)
            .flatMapThrowing { channel in
                let reader = try channel.pipeline.syncOperations.handler(type: AnswerReader.self)
                return RequestConnection(channel, NIOLoopBound(reader, eventLoop: loop), target)
            }
    }

    /// Succeeds when the connection is closed.
    var closed: EventLoopFuture<Void> { channel.closeFuture }

    func close() { channel.close(promise: nil) }

    /// Fails if the connection ends before the answer has come whole.
    func send(_ method: HTTPMethod, query: String, body: [UInt8]? = nil) -> EventLoopFuture<Answer> {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: target.path + query)
        head.headers.add(name: "Host", value: "\(target.host):\(target.port)")
        head.headers.add(name: "User-Agent", value: "windrow-simulate")
        if let secret = target.secret { head.headers.add(name: "Authorization", value: "Key \(secret)") }
        if let body {
            head.headers.add(name: "Content-Type", value: "application/json")
            head.headers.add(name: "Content-Length", value: "\(body.count)")
        }
        let promise = channel.eventLoop.makePromise(of: Answer.self)
        let (channel, reader, whole) = (channel, reader, head)
        channel.eventLoop.execute {
            reader.value.begin(promise)
            channel.write(HTTPClientRequestPart.head(whole), promise: nil)
            if let body {
                channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
            }
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        }
        return promise.futureResult
    }
}

/// The server closed before it had answered.
struct ClosedEarly: Error, CustomStringConvertible {
    var description: String { "the server closed the connection without an answer" }
}

/// Gathers an answer.
private final class AnswerReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private var promise: EventLoopPromise<Answer>?
    private var answer: Answer?
    private var isClosed = false

    func begin(_ promise: EventLoopPromise<Answer>) {
        guard !isClosed else { return promise.fail(ClosedEarly()) }
        precondition(self.promise == nil, "a second request before the answer to the first one")
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let retryAfter = head.headers.first(name: "Retry-After").flatMap { Int($0) }
            answer = Answer(status: Int(head.status.code), retryAfter: retryAfter, body: ByteBuffer())
            if !head.isKeepAlive { isClosed = true }
        case .body(var part): answer?.body.writeBuffer(&part)
        case .end:
            guard let answer, answer.status >= 200 else { return }
            let promise = promise
            (self.promise, self.answer) = (nil, nil)
            if isClosed { context.close(promise: nil) }
            promise?.succeed(answer)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(ClosedEarly())
        context.fireChannelInactive()
    }

    private func fail(_ error: any Error) {
        isClosed = true
        let promise = promise
        self.promise = nil
        promise?.fail(error)
    }
}

/// What an error of a connection means to the user.
func explain(_ error: any Error, _ target: RequestTarget) -> SimulationError {
    switch error {
    case let error as SimulationError: return error
    case let error as NIOConnectionError:
        let first =
            error.connectionErrors.first.map { "\($0.error)" }
            ?? error.dnsAError.map { "\($0)" } ?? error.dnsAAAAError.map { "\($0)" } ?? "no address"
        return SimulationError(
            .unreachable, "no connection to \(target.address): \(first); is Windrow running, and the port right?")
    case let error as ChannelError:
        return SimulationError(.unreachable, "no connection to \(target.address): \(error)")
    case let error as IOError:
        return SimulationError(
            .unreachable,
            "no connection to \(target.address): \(String(cString: strerror(error.errnoCode))); is Windrow running?")
    case is NIOSSLError, is BoringSSLError:
        return SimulationError(
            .setup,
            "TLS with \(target.address): \(error); does it speak TLS, and is its certificate signed by --ca-file?")
    default: return SimulationError(.unreachable, "\(target.address): \(error)")
    }
}
