import MQTT

/// A gateway that publishes at QoS 1 over a connection of its own.
///
/// What it published and got no answer for, its client sends again, in order and before anything new, when it is back.
final class MQTTGateway {
    let sender: Sender
    private let client: Client
    private let course: Course
    private var state = State.idle
    /// When to connect again, after a failure.
    private var retryAt: Int64
    private var failuresInARow = 0
    private var vanishesAt: Int64

    /// The upcoming message, written.
    private var written: Message.Key?
    private var topic: [UInt8] = []
    private var payload: [UInt8] = []

    private let answers = Answers()
    private var nextKeepAlive: Int64 = 0

    enum State {
        case idle, connecting, connected, away
    }

    /// Messages that are published in a turn, at most: others wait for theirs.
    private static let burst = 500

    init(_ sender: Sender, _ options: Client.Options, course: Course, delay: Int64) throws(MQTTError) {
        self.sender = sender
        self.course = course
        retryAt = course.begin + delay
        vanishesAt = course.vanishes(sender.gateway, course.begin)
        client = try Client(options, handler: answers)
    }

    var isConnected: Bool { state == .connected }
    var isAway: Bool { state == .away }
    var descriptor: Int32? { client.fileDescriptor }
    var wantsWrite: Bool { client.wantsWrite }

    /// Whether all is sent that will be, and answered.
    func isFinished(_ now: Int64) -> Bool { sender.isFinished(now) && sender.ledger.underWay == 0 }

    /// Does what there is to do now.
    ///
    /// - Returns: when to come back at the latest.
    func turn(_ now: Int64, _ text: inout MessageText, _ tally: inout Tally) throws(MQTTError) -> Int64 {
        sender.adoptPace(now)
        if let back = comeAndGo(now) { return back }
        if state == .idle {
            guard now >= retryAt else { return retryAt }
            state = .connecting
            try client.connect()
        }
        let outcome = try client.read(limit: 1000)
        settle(now, &tally)
        var wake = now + 1_000_000_000
        if client.isConnected {
            if state == .connecting {
                state = .connected
                failuresInARow = 0
            }
            wake = min(wake, try publishDue(now, &text, &tally), vanishesAt)
        } else {
            // The next address may be due.
            wake = now + 100_000_000
        }
        if now >= nextKeepAlive {
            nextKeepAlive = now + 1_000_000_000
            try client.keepAlive()
        }
        try client.write()
        return outcome == .limit ? now : wake
    }

    /// Vanishes and comes back, as the drop-outs have it. Answers when it is back while it is away.
    private func comeAndGo(_ now: Int64) -> Int64? {
        guard now >= vanishesAt else { return nil }
        if let back = course.returns(sender.gateway, now) {
            if state != .away { client.abandon() }
            state = .away
            return min(back, now + 200_000_000)
        }
        vanishesAt = course.isHalted || now >= course.endMoment ? .max : course.vanishes(sender.gateway, now)
        if state == .away {
            state = .idle
            retryAt = now
        }
        return nil
    }

    private func publishDue(_ now: Int64, _ text: inout MessageText, _ tally: inout Tally) throws(MQTTError) -> Int64 {
        for _ in 0..<Self.burst {
            // Without a message, or with none due, an answer or time brings on the next turn.
            guard sender.isDue(now), let message = sender.upcoming else { return sender.nextDue(now) }
            if written != message.key {
                topic.removeAll(keepingCapacity: true)
                payload.removeAll(keepingCapacity: true)
                text.topic(of: message, sender.gateway, to: &topic)
                text.payload(of: message, sender.gateway, to: &payload)
                written = message.key
            }
            guard try client.publish(message.key.rawValue, on: topic, payload) else { return .max }
            sender.sendUpcoming(now)
            tally.sentMessages += 1
            tally.sentPoints += message.count
            tally.sentBytes += topic.count + payload.count
        }
        return now
    }

    private func settle(_ now: Int64, _ tally: inout Tally) {
        for (key, reason) in answers.list {
            let isTaken = !reason.isFailure && reason != .noMatchingSubscribers
            guard let flight = sender.answer(.init(rawValue: key), isTaken ? .acknowledged : .refused) else { continue }
            if isTaken {
                tally.acknowledgedMessages += 1
                tally.acknowledgedPoints += flight.points
            } else if reason == .noMatchingSubscribers {
                tally.unheardPoints += flight.points
            } else {
                tally.refusedPoints += flight.points
                refusal = reason
            }
            tally.latency.add(microseconds: (now - flight.sentAt) / 1000)
        }
        answers.list.removeAll(keepingCapacity: true)
    }

    /// Why the broker refused a message, since this was last taken.
    private var refusal: ReasonCode?

    func takeRefusal() -> ReasonCode? {
        defer { refusal = nil }
        return refusal
    }

    /// The connection ended, and is made anew after a pause.
    func fail(_ now: Int64) -> Int64 {
        client.abandon()
        state = .idle
        failuresInARow += 1
        let pause = min(0.5 * Double(1 << min(failuresInARow - 1, 5)), 10) * Double.random(in: 0.5...1)
        retryAt = now + Int64(pause * 1e9)
        return retryAt
    }

    func end(patiently: Bool) {
        if patiently { client.disconnect(within: .zero) } else { client.abandon() }
    }
}

/// The broker's answers, as they come within a turn.
private final class Answers: ClientHandler {
    var list: [(key: UInt64, reason: ReasonCode)] = []

    func published(_ token: UInt64, _ reason: ReasonCode) { list.append((token, reason)) }

    func connected(sessionPresent: Bool) {}
    func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {}
    func unsubscribed(_ messageID: MessageID) {}
    func received(_ message: borrowing MQTT.Message) {}
}
