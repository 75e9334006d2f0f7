import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

// A slow, half-open or malicious client must not hold a connection for ever. Hummingbird closes connections on which no part of a
// request comes for `idle_timeout`, a head that never ends included. What is left is watched here: a body that drips, a reader that
// does not read, and what is no HTTP at all.

/// Watches one connection.
final class RequestWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// For a request to arrive whole, and for a client that reads nothing of an answer.
    private let timeout: TimeAmount
    /// The head of a request has come, and its end has not.
    private var isReading = false
    /// Requests that have not been answered to the end.
    private var unanswered = 0
    /// The head of an answer has been sent, and its end has not.
    private var isAnswering = false
    /// When the request has to be whole.
    private var wholeBy: NIODeadline?
    /// When the client has to have read on.
    private var readOnBy: NIODeadline?
    /// When the connection ends in any case.
    private var endBy: NIODeadline?
    private var timer: Scheduled<Void>?

    /// For what follows an answer that did not wait for the request's end, and for what is under way when the daemon stops.
    private static let lastMoments = TimeAmount.seconds(5)

    init(timeout: Duration) {
        self.timeout = TimeAmount(timeout)
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isReading = true
            unanswered += 1
            wholeBy = .now() + timeout
        case .body: break
        case .end:
            isReading = false
            wholeBy = nil
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Most requests come in one piece, and need no timer.
        arm(context)
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, unanswered > 0 { hasten(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError, unanswered == 0 else {
            context.fireErrorCaught(error)
            return
        }
        // Not forwarded: nobody behind would answer with more than a status.
        end(with: error == .headerOverflow ? .headerTooLarge : .malformedRequest, context)
    }

    /// Answers in the place of the responder, and closes.
    private func end(with problem: Problem, _ context: ChannelHandlerContext) {
        unanswered += 1
        var head = problem.response.head
        head.headerFields[.connection] = "close"
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(problem.body)), promise: nil)
        let closing = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in closing.value.close(promise: nil) }
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): isAnswering = head.status.kind != .informational
        case .body: break
        case .end:
            isAnswering = false
            unanswered -= 1
            if isReading { hasten(context) }
        }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readOnBy = context.channel.isWritable ? nil : .now() + timeout
        arm(context)
        context.fireChannelWritabilityChanged()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    // MARK: Time

    private var deadline: NIODeadline? { [wholeBy, readOnBy, endBy].compactMap { $0 }.min() }

    private func hasten(_ context: ChannelHandlerContext) {
        endBy = .now() + Self.lastMoments
        timer?.cancel()
        timer = nil
        arm(context)
    }

    /// A timer that is set already is for an earlier moment, and finds out when it fires.
    private func arm(_ context: ChannelHandlerContext) {
        guard let deadline, timer == nil else { return }
        let bound = NIOLoopBound((watch: self, context: context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) { bound.value.watch.timeOut(bound.value.context) }
    }

    private func timeOut(_ context: ChannelHandlerContext) {
        timer = nil
        guard let deadline else { return }
        if deadline > .now() {
            arm(context)
        } else if isReading, unanswered == 1, !isAnswering, endBy == nil {
            end(with: .requestTimeout, context)
        } else {
            context.close(promise: nil)
        }
    }
}
