import Logging
import MQTT

/// What a broker connection has been told and given since it last settled: the client calls it from within `Client.read`.
///
/// Not Sendable: it lives on the connection's thread.
final class MessageIntake: ClientHandler {
    struct Taken {
        var batch: RecordBatch
        /// When the first message was received.
        var receivedAt: ContinuousClock.Instant
        var deadLetters: [DeadLetter]
        var messageCount: Int
        var retainedSkipped: Int
        var rejections: [Rejection.Reason]
        /// For those who watch, and how many more there were.
        var seen: [Tail.Event]
        var unseen: Int
    }

    private(set) var filters: [String]
    private let domain: String
    private let journal: Journal
    private let tail: Tail
    private var decoder: MessageDecoder
    /// In the place of `decoder`, once the broker sends nothing any more on topics that were taken back.
    private var nextDecoder: MessageDecoder?
    private let log: Logger
    private var rejectionLog = RejectionLog()

    private unowned var client: Client!
    /// Whether it is worth telling that there is a connection.
    private var isNews = true
    private var subscriptions: SubscriptionState?
    /// Set when a call that had to be made from within a callback failed.
    private(set) var failure: (any Error)?

    private var batch = RecordBatch()
    private var receivedAt = ContinuousClock.now
    private var deadLetters: [DeadLetter] = []
    private var retainedSkipped = 0
    private var seen: [Tail.Event] = []
    private var unseen = 0
    /// Messages received since the last `take()`.
    private(set) var messageCount = 0
    /// Bytes of a payload that the connection keeps.
    private var keptPayload = 0
    /// Bytes of one that is accepted at most.
    private var largestMessage = 0
    /// Bytes of their payloads.
    private(set) var byteCount = 0

    init(domain: String, filters: [String], decoder: MessageDecoder, journal: Journal, tail: Tail, log: Logger) {
        self.domain = domain
        self.tail = tail
        self.filters = filters
        self.decoder = decoder
        self.journal = journal
        self.log = log
    }

    /// Bytes of a payload that the client has to keep: all of one that may be accepted, and the beginning of any other, for
    /// its dead letter.
    var payloadLimit: Int { max(journal.largestMessage, DeadLetter.maximumPayload) }

    /// A new connection: what an earlier one left unsettled will come again.
    func begin(client: Client, session: String, isNews: Bool) {
        self.client = client
        self.isNews = isNews
        keptPayload = payloadLimit
        largestMessage = journal.largestMessage
        subscriptions = SubscriptionState(filters: filters, journal: journal, session: session)
        lastUnsubscribed = nil
        failure = nil
        _ = take()
    }

    func end() {
        client = nil
        subscriptions = nil
    }

    /// Whether all subscriptions are in force.
    var state: DomainHealth.State { subscriptions?.health ?? .failing("not connected") }

    /// The subscriptions that the broker has granted.
    var granted: [String] { subscriptions?.granted ?? [] }
    /// Which request to unsubscribe was answered last.
    private(set) var lastUnsubscribed: MessageID?

    /// Takes what has come, and begins anew.
    func take() -> Taken {
        defer {
            // The next one is about as large.
            batch = RecordBatch(sizedAs: batch)
            deadLetters = []
            retainedSkipped = 0
            seen = []
            unseen = 0
            messageCount = 0
            byteCount = 0
        }
        return Taken(
            batch: batch, receivedAt: receivedAt, deadLetters: deadLetters, messageCount: messageCount,
            retainedSkipped: retainedSkipped, rejections: deadLetters.map(\.reason), seen: seen, unseen: unseen)
    }

    /// Takes the messages of other topics, or understands them otherwise, from the next one on. Works with and without a connection.
    /// - Parameter rules: make the decoder for this session.
    func reload(filters fresh: [String], _ rules: IntakeRules, session: String) throws {
        let isChanged = Set(fresh) != Set(filters)
        let former = decoder.subscriptions.filter { !fresh.contains($0.template.filter) }
        filters = fresh
        largestMessage = min(journal.largestMessage, keptPayload)
        decoder = rules.decoder(forSession: session, and: former)
        // What the broker sends before it takes a topic back is a message like any other.
        nextDecoder = former.isEmpty ? nil : rules.decoder(forSession: session)
        subscriptions?.want(fresh)
        if isChanged, let client, client.isConnected { try request() }
    }

    /// Subscribes once more if the broker refused it a while ago: an operator may have mended its access list.
    func resubscribe(ifRefusedFor interval: Duration) throws {
        guard let since = subscriptions?.refusedSince, .now - since >= interval else { return }
        try subscribe()
    }

    /// Asks for the topics of the configuration, and takes those back that it no longer has.
    private func request() throws {
        let dropped = try subscriptions?.dropped() ?? []
        try subscribe()
        if dropped.isEmpty { return }
        log.notice(
            "unsubscribing from topics that the configuration no longer has",
            metadata: ["topics": "\(dropped.joined(separator: " "))"])
        subscriptions?.requestedUnsubscribe(try client.unsubscribe(dropped))
    }

    private func subscribe() throws {
        if filters.isEmpty { return }
        let messageID = try client.subscribe(filters)
        subscriptions?.requested(messageID)
    }

    // MARK: ClientHandler

    func connected(sessionPresent: Bool) {
        log.log(
            level: isNews ? .info : .debug, "connected", metadata: ["session": sessionPresent ? "continued" : "new"])
        do {
            try request()
        } catch {
            failure = error
        }
    }

    func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {
        for refusal in subscriptions?.answered(messageID, results) ?? [] {
            log.error(
                "the broker refuses a subscription",
                metadata: ["topic": "\(refusal.filter)", "reason": "\(refusal.reason)"])
        }
        forgetDropped()
    }

    func unsubscribed(_ messageID: MessageID) {
        lastUnsubscribed = messageID
        if subscriptions?.unsubscribed(messageID) == true, let nextDecoder {
            decoder = nextDecoder
            self.nextDecoder = nil
        }
        forgetDropped()
    }

    func received(_ message: borrowing Message) {
        if messageCount == 0 { receivedAt = .now }
        messageCount += 1
        let now = Timestamp.now
        let isRetained = message.isRetained
        let overwrite = message.userProperty("overwrite")
        message.withTopic { topic in
            message.withPayload { payload in
                byteCount += payload.count
                let topic = UnsafeRawBufferPointer(topic)
                do throws(Rejection) {
                    try checkSize(message)
                    let outcome = try decoder.decode(
                        topic: topic, payload: payload, overwriteProperty: overwrite, isRetained: isRetained,
                        receivedAt: now,
                        into: &batch)
                    if case .skippedRetained = outcome { retainedSkipped += 1 }
                    if tail.isWatched { show(outcome, of: topic, payload, at: now) }
                } catch {
                    let letter = DeadLetter(
                        receivedAt: now, topic: String(decoding: topic, as: UTF8.self), payload: payload,
                        payloadSize: message.payloadSize, overwrite: overwrite, rejection: error)
                    rejectionLog.rejected(letter, log)
                    if tail.isWatched { show(error, of: letter, payload) }
                    deadLetters.append(letter)
                }
            }
        }
    }

    // MARK: For those who watch

    /// Events of one batch that are shown at most.
    private static let mostSeen = 500

    private func show(
        _ outcome: MessageDecoder.Outcome, of topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer,
        at time: Timestamp
    ) {
        switch outcome {
        case .accepted(let points):
            show(.accepted, String(decoding: topic, as: UTF8.self), payload, at: time) { $0.points = points }
        case .skippedRetained: show(.skipped, String(decoding: topic, as: UTF8.self), payload, at: time) { _ in }
        }
    }

    private func show(_ rejection: Rejection, of letter: DeadLetter, _ payload: UnsafeRawBufferPointer) {
        show(.rejected, letter.topic, payload, at: letter.receivedAt) { event in
            event.reason = rejection.reason.rawValue
            event.detail = rejection.detail
        }
    }

    private func show(
        _ outcome: Tail.Event.Outcome, _ topic: String, _ payload: UnsafeRawBufferPointer, at time: Timestamp,
        _ complete: (inout Tail.Event) -> Void
    ) {
        guard tail.wants(outcome, of: topic, in: domain) else { return }
        guard seen.count < Self.mostSeen else {
            unseen += 1
            return
        }
        var event = Tail.Event(outcome, at: time, domain: domain, topic: topic)
        event.payload = String(excerptOf: payload)
        complete(&event)
        seen.append(event)
    }

    private func checkSize(_ message: borrowing Message) throws(Rejection) {
        guard message.payloadSize <= largestMessage else {
            throw Rejection(
                .tooLarge,
                "the payload has \(message.payloadSize) bytes, no more than \(largestMessage) are accepted "
                    + "(a thirty-second of journal.max_size)")
        }
        // What it says about `overwrite` is not known.
        if message.lacksProperties {
            throw Rejection(.tooLarge, "the message has more user properties than are accepted (256 KiB)")
        }
    }

    private func forgetDropped() {
        do {
            try subscriptions?.forgetDropped()
        } catch {
            failure = error
        }
    }
}
