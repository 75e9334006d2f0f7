import DequeModule
import NIOCore
import NIOHTTP1

// What of HTTP/1 neither NIO's decoder nor Hummingbird looks after: which requests are well framed, and what a client can understand
// of the answer (RFC 9112, sections 3.2, 6.1 and 9.3; RFC 9110, section 9.3.2). It sits where a message still has its version.

/// Keeps the rules of HTTP/1 on one connection.
final class HTTP1Rules: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What an answer needs to know of its request.
    private struct Exchange {
        var isHead: Bool
        var isHTTP10: Bool
        /// The connection ends with the answer.
        var isLast: Bool
    }

    private var exchanges: Deque<Exchange> = []
    /// Nothing that comes is read any more.
    private var isDeaf = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isDeaf { return }
        guard case .head(let head) = unwrapInboundIn(data) else {
            context.fireChannelRead(data)
            return
        }
        if let error = Self.problem(of: head) {
            isDeaf = true
            context.fireErrorCaught(error)
            return
        }
        exchanges.append(
            Exchange(
                isHead: head.method == .HEAD, isHTTP10: head.version.major == 1 && head.version.minor == 0,
                // NIO's decoder takes what follows an offer to upgrade for another protocol, accepted or not.
                isLast: !head.isKeepAlive || head.headers.contains(name: "Upgrade")))
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let exchange = exchanges.first else {
            context.write(data, promise: promise)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            if head.status.isInformational {
                // HTTP/1.0 does not know them.
                if exchange.isHTTP10 { promise?.succeed() } else { context.write(data, promise: promise) }
                return
            }
            if exchange.isHTTP10 {
                // A body without a length ends with the connection.
                head.headers.remove(name: "Transfer-Encoding")
                if !head.headers.contains(name: "Content-Length") { exchanges[0].isLast = true }
                head.headers.replaceOrAdd(name: "Connection", value: exchanges[0].isLast ? "close" : "keep-alive")
                head.version = .http1_0
            } else if exchange.isLast {
                head.headers.replaceOrAdd(name: "Connection", value: "close")
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body:
            if exchange.isHead { promise?.succeed() } else { context.write(data, promise: promise) }
        case .end:
            exchanges.removeFirst()
            guard exchange.isLast else {
                context.write(data, promise: promise)
                return
            }
            isDeaf = true
            let closing = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(data).whenComplete { result in
                promise?.completeWith(result)
                closing.value.close(promise: nil)
            }
        }
    }

    /// A head that is read in different ways by different servers is read by none.
    private static func problem(of head: HTTPRequestHead) -> HTTPParserError? {
        let encodings = head.headers[canonicalForm: "Transfer-Encoding"]
        // Bodies are gzipped by Content-Encoding.
        if !encodings.isEmpty, encodings.count > 1 || encodings[0].lowercased() != "chunked" {
            return .invalidHeaderToken
        }
        let hosts = head.headers["Host"].count
        if hosts > 1 || hosts == 0 && head.version != .http1_0 { return .invalidHeaderToken }
        return nil
    }
}

extension HTTPResponseStatus {
    fileprivate var isInformational: Bool { (100..<200).contains(code) }
}
