// Acceptance: the one serial step of a domain. Whatever waits, from every connection and request, is taken together; its stream
// windows are settled in that order; it is appended to the journal in one transaction; and each sender is told. The order of the
// journal is *the* order.
//
// A crash before the transaction returns leaves nothing accepted and nobody told. A crash after it leaves records accepted whose
// senders were not told: they send them again, which changes nothing.

/// Accepts records for one domain.
actor Acceptance {
    /// What one sender wants accepted, whole.
    struct Submission: Sendable {
        var batch: RecordBatch
        /// When the first record of the batch was received.
        var receivedAt = ContinuousClock.now
        var deadLetters: [DeadLetter] = []
        /// Dead letters that the batch is made of, and which go when it is accepted.
        var retried: [Int64] = []
        /// For a sender that waits until the batch is in PostgreSQL.
        var receipt: Receipt?
        /// Called once, on the acceptance thread or the caller's; must not block.
        var completion: @Sendable (Result<Void, JournalError>) -> Void = { _ in }

        fileprivate func fail(_ error: JournalError) {
            receipt?.notAccepted(error)
            completion(.failure(error))
        }
    }

    struct Inbox: Sendable {
        var waiting: [Submission] = []
        var isStopping = false

        /// Takes the first ones, as many as make up `size` bytes, one at least.
        mutating func take(upTo size: Int) -> [Submission] {
            var bytes = 0
            let count = waiting.prefix { submission in
                defer { bytes += submission.batch.byteCount }
                return bytes < size
            }.count
            defer { waiting.removeFirst(count) }
            return Array(waiting.prefix(count))
        }
    }

    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// After which an acceptance that nothing comes to holds no thread.
    private static let patience = Duration.seconds(5)

    private let inbox = Monitor(Inbox())
    private let journal: Journal
    private let handoff: Handoff
    private let nodes: NodeIdentities
    private let receipts: Receipts
    private let metrics: DomainMetrics
    private var streams = StreamWindows()
    private var renumberings = 0

    init(
        domain: String, journal: Journal, handoff: Handoff, nodes: NodeIdentities, receipts: Receipts,
        metrics: DomainMetrics
    ) {
        executor = ThreadExecutor(name: "accept \(domain)")
        self.journal = journal
        self.handoff = handoff
        self.nodes = nodes
        self.receipts = receipts
        self.metrics = metrics
    }

    /// Queues a submission. Any thread; senders bound the queue: a broker connection has one submission on its way, and requests
    /// count against `BodyReader`'s memory until they are told.
    nonisolated func submit(_ submission: Submission) {
        let isLate = inbox.withLock { inbox in
            if !inbox.isStopping { inbox.waiting.append(submission) }
            return inbox.isStopping
        }
        if isLate { submission.fail(JournalError.closing) }
    }

    /// Accepts until `stop()`, then what still waits.
    func run() async {
        while true {
            switch next() {
            case .submissions(let submissions): accept(submissions)
            case .nothing: await inbox.change { !$0.waiting.isEmpty || $0.isStopping }
            case .stopped: return
            }
        }
    }

    nonisolated func stop() {
        inbox.withLock { $0.isStopping = true }
    }

    private enum Next {
        case submissions([Submission])
        /// None came for a while.
        case nothing
        case stopped
    }

    nonisolated private func next() -> Next {
        // The journal keeps room for a transaction of this size.
        let size = journal.batchSize
        return inbox.wait(timeout: Self.patience) { inbox -> Next? in
            if !inbox.waiting.isEmpty {
                return .submissions(inbox.take(upTo: size))
            }
            return inbox.isStopping ? .stopped : nil
        } ?? .nothing
    }

    private func accept(_ submissions: [Submission]) {
        if nodes.renumberings != renumberings {
            // Windows are kept by numbers of nodes, which name others now: as after a start, the next messages open new ones.
            renumberings = nodes.renumberings
            streams = StreamWindows()
        }
        var batches: [RecordBatch] = []
        var senders: [Submission] = []
        for submission in submissions where !submission.batch.isEmpty {
            var batch = submission.batch
            streams.settle(&batch, nodeID: nodes.id(of:))
            batches.append(batch)
            senders.append(submission)
        }
        do throws(JournalError) {
            let started = ContinuousClock.now
            let positions = try journal.append(
                batches, deadLetters: submissions.flatMap(\.deadLetters),
                retried: submissions.flatMap(\.retried))
            streams.commit()
            metrics.accepted(batches, took: .now - started)
            for (sender, position) in zip(senders, positions) {
                if let receipt = sender.receipt { receipts.register(receipt, at: position) }
            }
            handoff.offer(
                positions.indices.map {
                    Journal.StoredBatch(position: positions[$0], batch: batches[$0], receivedAt: senders[$0].receivedAt)
                })
            for submission in submissions { submission.completion(.success(())) }
        } catch {
            streams.revert()
            metrics.notAccepted()
            for submission in submissions { submission.fail(error) }
        }
    }
}
