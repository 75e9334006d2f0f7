import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

// A slow, half-open or malicious client must not hold a connection for ever: one that sends nothing, a head that never ends or a
// body that drips, one that does not read on, and what is no HTTP at all.

/// Watches one connection.
final class RequestWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// For a request to arrive whole, and for a client to read on.
    private let timeout: TimeAmount
    /// Between two requests.
    private let idleTimeout: TimeAmount
    /// The head of a request has come, and its end has not.
    private var isReading = false
    /// Requests that have not been answered to the end.
    private var unanswered = 0
    /// The head of an answer has been sent, and its end has not.
    private var isAnswering = false
    /// What is to be answered to something that was no request, once those before it are answered.
    private var lastProblem: Problem?

    /// When the head of the next request has to have come.
    private var idleBy: NIODeadline?
    /// When the request has to be whole.
    private var wholeBy: NIODeadline?
    /// When the client has to have read so much of the answer that more of it can be sent.
    private var readOnBy: NIODeadline?
    /// When what follows an answer that did not wait for the request's end has to have come.
    private var drainedBy: NIODeadline?
    /// When the connection ends in any case.
    private var endBy: NIODeadline?
    private var timer: Scheduled<Void>?
    private var timerAt = NIODeadline.now()

    private static let lastMoments = TimeAmount.seconds(5)

    init(timeout: Duration, idleTimeout: Duration) {
        self.timeout = TimeAmount(timeout)
        self.idleTimeout = TimeAmount(idleTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        idleBy = .now() + idleTimeout
        arm(context)
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isReading = true
            unanswered += 1
            idleBy = nil
            // Behind others it may be our own slowness that keeps it from being read.
            if unanswered == 1 { wholeBy = .now() + timeout }
        case .body: break
        case .end:
            isReading = false
            wholeBy = nil
            drainedBy = nil
            if unanswered == 0 { idleBy = .now() + idleTimeout }
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Most requests come in one piece, and need no timer.
        arm(context)
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, unanswered > 0 {
            endBy = .now() + Self.lastMoments
            arm(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        if isReading {
            // In the middle of a request it is the responder who meets the error and answers, unless it has answered already.
            if unanswered > 0 { context.fireErrorCaught(error) } else { context.close(promise: nil) }
            return
        }
        lastProblem = error == .headerOverflow ? .headerTooLarge : .malformedRequest
        if unanswered == 0 { answerLastProblem(context) }
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): isAnswering = head.status.kind != .informational
        case .body: break
        case .end:
            isAnswering = false
            unanswered -= 1
            if isReading { answeredEarly(context) } else if unanswered == 0 { idleBy = .now() + idleTimeout }
        }
        context.write(data, promise: promise)
        if unanswered == 0, !isAnswering { answerLastProblem(context) }
        arm(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readOnBy = context.channel.isWritable ? nil : .now() + timeout
        arm(context)
        context.fireChannelWritabilityChanged()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        disarm()
    }

    func channelInactive(context: ChannelHandlerContext) {
        disarm()
        context.fireChannelInactive()
    }

    /// The rest of the request is still to come: of the one that was answered, or of one that was waiting for its turn.
    private func answeredEarly(_ context: ChannelHandlerContext) {
        if unanswered == 0 {
            wholeBy = nil
            drainedBy = .now() + Self.lastMoments
            arm(context)
        } else if unanswered == 1 {
            wholeBy = .now() + timeout
            arm(context)
        }
    }

    private func answerLastProblem(_ context: ChannelHandlerContext) {
        guard let problem = lastProblem else { return }
        lastProblem = nil
        answer(problem, context)
    }

    /// Answers in the place of the responder, and ends the connection.
    private func answer(_ problem: Problem, _ context: ChannelHandlerContext) {
        let (head, body) = problem.lastAnswer
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        wholeBy = nil
        drainedBy = .now() + Self.lastMoments
        arm(context)
    }

    // MARK: Time

    private var deadline: NIODeadline? { [idleBy, wholeBy, readOnBy, drainedBy, endBy].compactMap { $0 }.min() }

    /// A timer that is set for an earlier moment finds out when it fires: a connection has one, and mostly lets it be.
    private func arm(_ context: ChannelHandlerContext) {
        guard let deadline, timer == nil || deadline < timerAt else { return }
        disarm()
        timerAt = deadline
        let bound = NIOLoopBound((watch: self, context: context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) { bound.value.watch.timeOut(bound.value.context) }
    }

    private func disarm() {
        timer?.cancel()
        timer = nil
    }

    private func timeOut(_ context: ChannelHandlerContext) {
        timer = nil
        guard let deadline else { return }
        if deadline > .now() {
            arm(context)
        } else if deadline == wholeBy, unanswered == 1, !isAnswering {
            answer(.requestTimeout, context)
        } else {
            context.close(promise: nil)
        }
    }
}
