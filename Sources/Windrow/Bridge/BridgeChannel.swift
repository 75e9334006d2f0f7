import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1
import NIOSSL
import Synchronization

/// A connection of a client: TLS if there is any, HTTP/1.1, and the watch over both.
struct BridgeChannel: ServerChildChannel {
    private let http: HTTP1Channel
    private let identity: ServerIdentity?

    /// Bytes of a request's head, its target included.
    private static let largestHead = 32 << 10

    init(_ settings: Configuration.HTTP, identity: ServerIdentity?, responder: @escaping HTTPChannelHandler.Responder) {
        self.identity = identity
        http = HTTP1Channel(
            responder: responder,
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [RequestWatch(timeout: settings.requestTimeout)],
                idleTimeout: TimeAmount(settings.idleTimeout),
                httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
                    maxHeaderFieldSize: Self.largestHead, maxHeaderListSize: Self.largestHead, maxHeaderFieldCount: 100)
            ))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        do {
            let pipeline = channel.pipeline.syncOperations
            if let identity { try pipeline.addHandler(NIOSSLServerHandler(context: identity.context)) }
            let value = http.setup(channel: channel, logger: logger)
            // Done by now, on the channel's own loop; Hummingbird has no other way in between its handlers.
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(HTTP1Rules(), position: .before(codec))
            return value
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await http.handle(value: value, logger: logger)
    }
}

/// The server's certificate and key, as the files were when they were last read.
final class ServerIdentity: Sendable {
    private let files: Configuration.ServerTLS
    private let current: Mutex<NIOSSLContext>

    init(_ files: Configuration.ServerTLS) throws {
        self.files = files
        current = Mutex(try Self.load(files))
    }

    /// For the next connection.
    var context: NIOSSLContext { current.withLock { $0 } }

    /// Reads the files anew; connections that are open keep what they have. On a problem all stays as it was.
    func reload() throws {
        let fresh = try Self.load(files)
        current.withLock { $0 = fresh }
    }

    private static func load(_ files: Configuration.ServerTLS) throws(ServerIdentityError) -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMBytes(Configuration.readFile(files.certificateFile))
            let key = try NIOSSLPrivateKey(bytes: Configuration.readFile(files.keyFile), format: .pem)
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            settings.minimumTLSVersion = .tlsv12
            settings.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: settings)
        } catch {
            throw ServerIdentityError(files: files, message: "\(error)")
        }
    }
}

/// The certificate and the key cannot be used.
public struct ServerIdentityError: Error, Sendable, CustomStringConvertible {
    public var files: Configuration.ServerTLS
    public var message: String

    public var description: String {
        "http.tls: cannot use \(files.certificateFile) with \(files.keyFile): \(message); both must be PEM, and belong together"
    }
}
