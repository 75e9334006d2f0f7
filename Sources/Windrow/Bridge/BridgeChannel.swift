import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1
import NIOSSL

/// A connection of a client: TLS if there is any, HTTP/1.1, and the watch over both.
struct BridgeChannel: ServerChildChannel {
    private let http: HTTP1Channel
    private let identity: ServerIdentity?

    init(
        _ settings: Live<Configuration.HTTP>, identity: ServerIdentity?,
        responder: @escaping HTTPChannelHandler.Responder
    ) {
        self.identity = identity
        http = HTTP1Channel(
            responder: responder,
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [
                    RequestWatch(
                        timeout: settings.current.requestTimeout, idleTimeout: settings.current.idleTimeout)
                ],
                httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
                    maxHeaderFieldSize: Problem.largestHead, maxHeaderListSize: Problem.largestHead,
                    maxHeaderFieldCount: Problem.mostFields)
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
