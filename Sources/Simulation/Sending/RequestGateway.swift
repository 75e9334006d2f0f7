import NIOCore
import NIOSSL

/// A gateway that posts what is due, one request after another, and the same again until it is answered.
///
/// Sendable unchecked: all of it belongs to its event loop, until the loop's worker has ended.
final class RequestGateway: @unchecked Sendable {
    let sender: Sender
    private let target: RequestTarget
    private let tls: NIOSSLContext?
    private let course: Course
    private let loop: any EventLoop
    /// Where it counts, and whose memory for text it uses.
    unowned let worker: RequestWorker

    private var connection: RequestConnection?
    private var state = State.resting(until: 0)
    private var timer: Scheduled<Void>?
    private var timerAt = Int64.max
    private var failuresInARow = 0
    private var vanishesAt: Int64

    /// The request that is under way, or to be sent again.
    private var batch: [Message] = []
    private var body: [UInt8] = []

    private enum State: Equatable {
        case resting(until: Int64)
        case connecting, waiting, away
    }

    /// Points of a request, at most.
    private static let batchPoints = 10_000
    private static let patience = TimeAmount.seconds(90)

    init(
        _ sender: Sender, _ target: RequestTarget, _ tls: NIOSSLContext?, course: Course, loop: any EventLoop,
        worker: RequestWorker, delay: Int64
    ) {
        self.sender = sender
        self.target = target
        self.tls = tls
        self.course = course
        self.loop = loop
        self.worker = worker
        state = .resting(until: course.begin + delay)
        vanishesAt = course.vanishes(sender.gateway, course.begin)
    }

    var isConnected: Bool { connection != nil }
    var isAway: Bool { state == .away }
    func isFinished(_ now: Int64) -> Bool { sender.isFinished(now) && batch.isEmpty }

    /// Does what there is to do now, and sees to it that it is called again.
    func turn() {
        let now = monotonicNow()
        timerAt = .max
        sender.adoptPace(now)
        if course.isAborted { return end() }
        if let back = comeAndGo(now) { return wake(at: back) }
        guard case .resting(let until) = state else { return wake(at: vanishesAt) }
        guard now >= until else { return wake(at: until) }
        guard let connection else { return connect() }
        if batch.isEmpty { gather(now) }
        guard !batch.isEmpty else { return wake(at: min(sender.nextDue(now), vanishesAt, now + 200_000_000)) }
        post(connection)
    }

    func end() {
        timer?.cancel()
        connection?.close()
        connection = nil
    }

    private func wake(at moment: Int64) {
        let moment = min(moment, monotonicNow() + 1_000_000_000)
        guard moment < timerAt else { return }
        timer?.cancel()
        timerAt = moment
        timer = loop.scheduleTask(in: .nanoseconds(max(moment - monotonicNow(), 0))) { [self] in turn() }
    }

    private func comeAndGo(_ now: Int64) -> Int64? {
        guard now >= vanishesAt else { return nil }
        if let back = course.returns(sender.gateway, now) {
            state = .away
            connection?.close()
            connection = nil
            return min(back, now + 200_000_000)
        }
        vanishesAt = course.isHalted || now >= course.endMoment ? .max : course.vanishes(sender.gateway, now)
        if state == .away { state = .resting(until: now) }
        return nil
    }

    private func connect() {
        state = .connecting
        RequestConnection.connect(target, tls, on: loop).whenComplete { [self] result in
            // It may have gone away meanwhile.
            guard state == .connecting else { return (try? result.get())?.close() ?? () }
            switch result {
            case .success(let made):
                connection = made
                made.closed.whenComplete { [self] _ in if connection === made { connection = nil } }
                state = .resting(until: 0)
            case .failure(let error): pause(error)
            }
            turn()
        }
    }

    /// Takes messages that are due, as long as they have one mode.
    private func gather(_ now: Int64) {
        body.removeAll(keepingCapacity: true)
        var points = 0
        while sender.isDue(now), let message = sender.upcoming {
            guard
                batch.isEmpty || message.overwrites == batch[0].overwrites && points + message.count <= Self.batchPoints
            else { break }
            body.append(UInt8(ascii: batch.isEmpty ? "[" : ","))
            worker.text.element(of: message, sender.gateway, to: &body)
            batch.append(message)
            points += message.count
            sender.sendUpcoming(now)
        }
        guard !batch.isEmpty else { return }
        body.append(UInt8(ascii: "]"))
        worker.tally.sentMessages += batch.count
        worker.tally.sentPoints += points
        worker.tally.sentBytes += body.count
    }

    private func post(_ connection: RequestConnection) {
        state = .waiting
        let sentAt = monotonicNow()
        let query = "?silent=true" + (batch[0].overwrites ? "&overwrite=update_window" : "")
        // A server that hangs is as good as one that broke off.
        let limit = loop.scheduleTask(in: Self.patience) { connection.close() }
        connection.send(.POST, query: query, body: body).whenComplete { [self] result in
            limit.cancel()
            // It may have gone away meanwhile; then the same is sent when it is back.
            guard state == .waiting else { return }
            switch result {
            case .success(let answer): take(answer, after: monotonicNow() - sentAt)
            case .failure(let error): pause(error)
            }
            turn()
        }
        wake(at: vanishesAt)
    }

    private func take(_ answer: Answer, after duration: Int64) {
        state = .resting(until: 0)
        switch answer.status {
        case 200..<300:
            failuresInARow = 0
            if answer.status == 202 { worker.tally.lateAnswers += 1 }
            settle(.acknowledged)
            worker.tally.latency.add(microseconds: duration / 1000)
        case 408, 429, 500...:
            worker.tally.postponed += 1
            worker.troubles.note("answered \(answer.status), sent again: \(answer.detail)")
            let wait = answer.retryAfter.map { Double(max($0, 0)) * Double.random(in: 1...1.2) } ?? growingPause()
            state = .resting(until: monotonicNow() + Int64(wait * 1e9))
        default:
            worker.troubles.note("refused with \(answer.status): \(answer.detail)")
            settle(.refused)
        }
    }

    private func settle(_ outcome: Ledger.Answer) {
        for message in batch {
            guard let flight = sender.answer(message.key, outcome) else { continue }
            if outcome == .acknowledged {
                worker.tally.acknowledgedMessages += 1
                worker.tally.acknowledgedPoints += flight.points
            } else {
                worker.tally.refusedPoints += flight.points
            }
        }
        batch.removeAll(keepingCapacity: true)
    }

    private func pause(_ error: any Error) {
        connection?.close()
        connection = nil
        worker.tally.failures += 1
        worker.troubles.note(explain(error, target).description)
        state = .resting(until: monotonicNow() + Int64(growingPause() * 1e9))
    }

    private func growingPause() -> Double {
        failuresInARow += 1
        return min(0.5 * Double(1 << min(failuresInARow - 1, 5)), 10) * Double.random(in: 0.5...1)
    }
}
