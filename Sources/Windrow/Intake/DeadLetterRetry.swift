import Logging

/// Sends dead letters through intake once more, when an operator has asked for it: with the configuration, the bounds and
/// the order of acceptance of now; a point without a timestamp keeps that of its first receipt.
///
/// A letter goes in the transaction that accepts its points. A crash at any moment leaves either the letter, still marked, or the
/// points.
///
/// Not Sendable: it owns the decoders' buffers.
final class DeadLetterRetry {
    private let journal: Journal
    private let acceptance: Acceptance
    private let metrics: DomainMetrics
    private var decoder: MessageDecoder
    private var ownDecoder: MessageDecoder
    private let log: Logger

    /// Letters decoded at a time, each of at most `DeadLetter.maximumPayload` unless it was accepted before.
    private static let step = 16

    init(
        journal: Journal, acceptance: Acceptance, metrics: DomainMetrics, rules: IntakeRules, log: Logger
    ) throws(TopicTemplateError) {
        self.journal = journal
        self.acceptance = acceptance
        self.metrics = metrics
        decoder = rules.decoderForLate
        ownDecoder = try rules.decoderForOwn()
        self.log = log
    }

    /// Goes by other rules from now on.
    func reload(_ rules: IntakeRules) throws(TopicTemplateError) {
        decoder = rules.decoderForLate
        ownDecoder = try rules.decoderForOwn()
    }

    /// Tries all letters that are marked. Those that the journal has no room for stay marked.
    /// - Returns: whether none is left.
    func run(until isStopping: () -> Bool) throws(JournalError) -> Bool {
        var (accepted, refused) = (0, 0)
        var isDone = false
        while !isStopping(), journal.hasRoom {
            let letters = try journal.lettersToRetry(limit: Self.step)
            isDone = letters.isEmpty
            if isDone { break }
            var batch = RecordBatch()
            var decoded: [Int64] = []
            for stored in letters {
                do throws(Rejection) {
                    try decode(stored, into: &batch)
                    decoded.append(stored.id)
                } catch {
                    metrics.rejected(error.reason)
                    try journal.refusedAgain(stored.id, error)
                    refused += 1
                }
            }
            if !decoded.isEmpty { try accept(batch, decoded) }
            accepted += decoded.count
        }
        if accepted + refused > 0 {
            log.notice(
                "tried dead letters again", metadata: ["accepted": "\(accepted)", "refused again": "\(refused)"])
        }
        return isDone
    }

    private func decode(_ stored: StoredDeadLetter, into batch: inout RecordBatch) throws(Rejection) {
        if let obstacle = stored.obstacle { throw Rejection(stored.letter.reason, obstacle) }
        let letter = stored.letter
        let decoder = stored.wasAccepted ? ownDecoder : decoder
        let result = Array(letter.topic.utf8).withUnsafeBytes { topic in
            letter.payload.withUnsafeBytes { payload in
                Result { () throws(Rejection) in
                    try decoder.decode(
                        topic: topic, payload: payload, overwriteProperty: letter.overwrite, isRetained: false,
                        receivedAt: letter.receivedAt, now: max(letter.receivedAt, .now), into: &batch)
                }
            }
        }
        _ = try result.get()
    }

    private func accept(_ batch: RecordBatch, _ letters: [Int64]) throws(JournalError) {
        let ticket = Monitor<Result<Void, JournalError>?>(nil)
        acceptance.submit(
            Acceptance.Submission(batch: batch, retried: letters) { result in ticket.withLock { $0 = result } })
        try ticket.wait { $0 }?.get()
    }
}
