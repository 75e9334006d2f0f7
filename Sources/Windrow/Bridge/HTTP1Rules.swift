import DequeModule
import NIOCore
import NIOHTTP1

// What of HTTP/1 neither NIO's decoder nor Hummingbird looks after: which requests are well framed, what a client can understand of
// the answer, and how a connection ends (RFC 9112, sections 3.2, 6.1, 9.3 and 9.6; RFC 9110, section 9.3.2). It sits where a
// message still has its version.
//
// A connection ends with an answer that says `Connection: close`, whoever put that there. If the client may still be sending, only
// our side is closed, and what comes is read and dropped: closing both at once would reset the connection, and the client would
// never read the answer. `RequestWatch` bounds how long that may take.

/// Keeps the rules of HTTP/1 on one connection.
final class HTTP1Rules: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What an answer needs to know of its request.
    private struct Exchange {
        var isHead = false
        var isHTTP10 = false
        /// The connection ends with the answer.
        var isLast = false
    }

    /// Requests that are not answered to the end.
    private var exchanges: Deque<Exchange> = []
    /// The head of a request has come, and its end has not.
    private var isReading = false
    /// What comes is no HTTP any more: it is dropped.
    private var isMalformed = false
    /// The daemon stops.
    private var isQuiescing = false
    /// The answer under way says that it is the last.
    private var isLastAnswer = false
    /// The last answer has been given: nothing more is written.
    private var isOver = false
    /// Our side is closed, and the rest of the client's is waited for.
    private var isDraining = false

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .end = part { isReading = false }
        if isDraining, !isReading, !isMalformed {
            context.close(promise: nil)
            return
        }
        if isOver || isMalformed { return }
        if case .head(let head) = part {
            if let error = Self.problem(of: head) {
                isMalformed = true
                context.fireErrorCaught(error)
                return
            }
            isReading = true
            exchanges.append(
                Exchange(
                    isHead: head.method == .HEAD, isHTTP10: head.version == .http1_0,
                    // NIO's decoder takes what follows for another protocol, accepted or not.
                    isLast: !head.isKeepAlive || head.headers.contains(name: "Upgrade") || head.method == .CONNECT))
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Hummingbird asks for nothing more.
        if isDraining { context.read() }
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError {
            // In the middle of a request nobody can say where the next one begins.
            if isReading, !exchanges.isEmpty { exchanges[exchanges.count - 1].isLast = true }
            isMalformed = true
        }
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { isQuiescing = true }
        if isDraining, case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    /// A head that different servers read in different ways is read by none.
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

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isOver {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        // An answer to what was no request has no exchange.
        let exchange = exchanges.first ?? Exchange(isLast: true)
        switch unwrapOutboundIn(data) {
        case .head(let head) where (100..<200).contains(head.status.code):
            // HTTP/1.0 does not know them.
            if exchange.isHTTP10 { promise?.succeed() } else { context.write(data, promise: promise) }
        case .head(let head):
            context.write(wrapOutboundOut(.head(finished(head, exchange))), promise: promise)
        case .body:
            if exchange.isHead { promise?.succeed() } else { context.write(data, promise: promise) }
        case .end:
            if !exchanges.isEmpty { exchanges.removeFirst() }
            if isLastAnswer { end(context, data, promise) } else { context.write(data, promise: promise) }
        }
    }

    private func finished(_ head: HTTPResponseHead, _ exchange: Exchange) -> HTTPResponseHead {
        var head = head
        isLastAnswer =
            exchange.isLast || head.headers["Connection"].contains("close") || isQuiescing && exchanges.count == 1
        if exchange.isHTTP10 {
            head.version = .http1_0
            head.headers.remove(name: "Transfer-Encoding")
            // A body without a length ends with the connection.
            if !head.headers.contains(name: "Content-Length"), head.status != .noContent { isLastAnswer = true }
            head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
        if isLastAnswer { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        return head
    }

    private func end(_ context: ChannelHandlerContext, _ data: NIOAny, _ promise: EventLoopPromise<Void>?) {
        isOver = true
        let bound = NIOLoopBound((rules: self, context: context), eventLoop: context.eventLoop)
        context.writeAndFlush(data).whenComplete { result in
            promise?.completeWith(result)
            let (rules, context) = bound.value
            guard rules.isReading || rules.isMalformed else {
                context.close(promise: nil)
                return
            }
            rules.isDraining = true
            context.close(mode: .output, promise: nil)
            context.read()
        }
    }
}
