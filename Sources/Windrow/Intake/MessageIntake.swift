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
    }

    let filters: [String]
    private let largestMessage: Int
    private let decoder: MessageDecoder
    private let log: Logger
    private var rejectionLog = RejectionLog()

    private unowned var client: Client!
    private var subscriptions: SubscriptionState?
    /// Set when a call that had to be made from within a callback failed.
    private(set) var failure: (any Error)?

    private var batch = RecordBatch()
    private var receivedAt = ContinuousClock.now
    private var deadLetters: [DeadLetter] = []
    private var retainedSkipped = 0
    /// Messages received since the last `take()`.
    private(set) var messageCount = 0
    /// Bytes of their payloads.
    private(set) var byteCount = 0

    /// - Parameter largestMessage: bytes of a payload that are accepted at most; see `payloadLimit(for:)`.
    init(filters: [String], largestMessage: Int, decoder: MessageDecoder, log: Logger) {
        self.filters = filters
        self.largestMessage = largestMessage
        self.decoder = decoder
        self.log = log
    }

    /// Bytes of a payload that a client has to keep: all of one that may be accepted, and the beginning of any other, for
    /// its dead letter.
    static func payloadLimit(for largestMessage: Int) -> Int { max(largestMessage, DeadLetter.maximumPayload) }

    /// A new connection: what an earlier one left unsettled will come again.
    func begin(client: Client, journal: Journal, session: String) {
        self.client = client
        subscriptions = SubscriptionState(filters: filters, journal: journal, session: session)
        failure = nil
        _ = take()
    }

    func end() {
        client = nil
        subscriptions = nil
    }

    /// Whether all subscriptions are in force.
    var state: DomainHealth.State { subscriptions?.health ?? .failing("not connected") }

    /// Takes what has come, and begins anew.
    func take() -> Taken {
        defer {
            // The next one is about as large.
            batch = RecordBatch(sizedAs: batch)
            deadLetters = []
            retainedSkipped = 0
            messageCount = 0
            byteCount = 0
        }
        return Taken(
            batch: batch, receivedAt: receivedAt, deadLetters: deadLetters, messageCount: messageCount,
            retainedSkipped: retainedSkipped,
            rejections: deadLetters.map(\.reason))
    }

    /// Subscribes once more if the broker refused it a while ago: an operator may have mended its access list.
    func resubscribe(ifRefusedFor interval: Duration) throws {
        guard let since = subscriptions?.refusedSince, .now - since >= interval else { return }
        try subscribe()
    }

    private func subscribe() throws {
        let messageID = try client.subscribe(filters)
        subscriptions?.requested(messageID)
    }

    // MARK: ClientHandler

    func connected(sessionPresent: Bool) {
        log.info("connected", metadata: ["session": sessionPresent ? "continued" : "new"])
        do {
            let dropped = try subscriptions?.dropped() ?? []
            try subscribe()
            if !dropped.isEmpty {
                log.notice(
                    "unsubscribing from topics that the configuration no longer has",
                    metadata: ["topics": "\(dropped.joined(separator: " "))"]
                )
                subscriptions?.requestedUnsubscribe(try client.unsubscribe(dropped))
            }
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
        subscriptions?.unsubscribed(messageID)
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
                } catch {
                    let letter = DeadLetter(
                        receivedAt: now, topic: String(decoding: topic, as: UTF8.self), payload: payload,
                        payloadSize: message.payloadSize, overwrite: overwrite, rejection: error)
                    rejectionLog.rejected(letter, log)
                    deadLetters.append(letter)
                }
            }
        }
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
