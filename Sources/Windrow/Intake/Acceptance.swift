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
        var deadLetters: [DeadLetter] = []
        /// Called once, on the acceptance thread; must not block.
        var completion: @Sendable (Result<Void, JournalError>) -> Void
    }

    private struct Inbox: Sendable {
        var waiting: [Submission] = []
        var isStopping = false
    }

    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let inbox = Monitor(Inbox())
    private let journal: Journal
    private let handoff: Handoff
    private let nodes: NodeIdentities
    private let metrics: DomainMetrics
    private var streams = StreamWindows()

    init(domain: String, journal: Journal, handoff: Handoff, nodes: NodeIdentities, metrics: DomainMetrics) {
        executor = ThreadExecutor(name: "accept \(domain)")
        self.journal = journal
        self.handoff = handoff
        self.nodes = nodes
        self.metrics = metrics
    }

    /// Queues a submission. Any thread; senders bound the queue by having one submission each on its way.
    nonisolated func submit(_ submission: Submission) {
        inbox.withLock { $0.waiting.append(submission) }
    }

    /// Accepts until `stop()`, then what still waits.
    func run() {
        while let submissions = next() { accept(submissions) }
    }

    nonisolated func stop() {
        inbox.withLock { $0.isStopping = true }
    }

    nonisolated private func next() -> [Submission]? {
        inbox.wait { inbox -> [Submission]?? in
            if !inbox.waiting.isEmpty {
                defer { inbox.waiting = [] }
                return .some(inbox.waiting)
            }
            return inbox.isStopping ? .some(nil) : nil
        } ?? nil
    }

    private func accept(_ submissions: [Submission]) {
        var batches: [RecordBatch] = []
        for submission in submissions where !submission.batch.isEmpty {
            var batch = submission.batch
            streams.settle(&batch, nodeID: nodes.id(of:))
            batches.append(batch)
        }
        do throws(JournalError) {
            let positions = try journal.append(batches, deadLetters: submissions.flatMap(\.deadLetters))
            streams.commit()
            for batch in batches { metrics.accepted(batch) }
            handoff.offer(zip(positions, batches).map { Journal.StoredBatch(position: $0, batch: $1) })
            for submission in submissions { submission.completion(.success(())) }
        } catch {
            streams.revert()
            for submission in submissions { submission.completion(.failure(error)) }
        }
    }
}
