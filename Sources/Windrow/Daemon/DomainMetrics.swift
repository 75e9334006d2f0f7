import HTTPTypes
import Synchronization

// The accounting. Each point that came in is counted again for what became of it, and the two sides meet:
//
//   received + replayed = inserted + updated + kept + superseded + rejected + pending
//
// A message that is rejected before its points are known counts as one point. Replayed are points that an earlier run of the
// daemon accepted and this one reads back from the journal, and points that had been counted for what became of them and are
// written once more because a failover has lost them.

/// A domain's counters.
final class DomainMetrics: Sendable {
    private let counts = Mutex(Counts())

    init(lanes: Int = 1) {
        counts.withLock { $0.lanes = Array(repeating: LaneCounts(), count: lanes) }
    }

    var snapshot: Counts { counts.withLock { $0 } }

    // MARK: Brokers

    /// A connection to a broker is about to be made.
    /// - Parameter certificateExpiry: of the certificate that is shown to the broker.
    func connecting(to broker: String, certificateExpiry: Timestamp?) {
        counts.withLock { $0.brokers[broker, default: BrokerCounts()].certificateExpiry = certificateExpiry }
    }

    /// The broker is connected and the subscriptions are in force.
    func connected(to broker: String) {
        counts.withLock { counts in
            counts.brokers[broker, default: BrokerCounts()].isConnected = true
            counts.brokers[broker, default: BrokerCounts()].connections += 1
        }
    }

    func disconnected(from broker: String) {
        counts.withLock { $0.brokers[broker]?.isConnected = false }
    }

    /// The broker is not listened to any more.
    func removed(broker: String) {
        counts.withLock { $0.brokers[broker] = nil }
    }

    // MARK: Intake

    /// What intake took from a broker and has had accepted, all but the points of the batch.
    func received(
        from broker: String? = nil, messages: Int, retainedSkipped: Int, rejections: [Rejection.Reason]
    ) {
        counts.withLock { counts in
            if let broker {
                counts.brokers[broker]?.messages += messages
                counts.brokers[broker]?.lastMessage = .now
            }
            counts.messages += messages
            counts.retainedSkipped += retainedSkipped
            counts.received += rejections.count
            counts.rejected += rejections.count
            for reason in rejections { counts.rejections[reason, default: 0] += 1 }
        }
    }

    /// A request was rejected for what it holds.
    func rejected(_ reason: Rejection.Reason) {
        received(messages: 0, retainedSkipped: 0, rejections: [reason])
    }

    /// A request was answered.
    func answered(_ method: HTTPRequest.Method, _ status: Int, took: Duration) {
        counts.withLock { counts in
            counts.requests[status, default: 0] += 1
            counts.requestTime[RequestKind(method, status: status), default: Histogram(.seconds)].observe(took)
        }
    }

    /// Batches have come into the journal, in one transaction.
    func accepted(_ batches: [RecordBatch], took: Duration) {
        counts.withLock { counts in
            var points = 0
            for batch in batches {
                counts.records += batch.recordCount
                counts.superseded += batch.supersededCount
                counts.received += batch.supersededCount
                points += batch.points.count
            }
            counts.received += points
            counts.pending += points
            counts.batchPoints.observe(Double(points))
            counts.appendTime.observe(took)
        }
    }

    /// Batches could not be brought into the journal.
    func notAccepted() {
        counts.withLock { $0.appendFailures += 1 }
    }

    // MARK: Writing

    /// Points that an earlier run accepted, or that were dispatched before a rewind, are on their way again.
    func replayed(points: Int) {
        counts.withLock { counts in
            let pending = counts.takeDropped(points)
            counts.replayed += points - pending
            counts.pending += points - pending
        }
    }

    /// The lane has dropped what it was given and had not committed, which is pending still and will be given once more.
    func dropped(byLane lane: Int) {
        counts.withLock { counts in
            counts.dropped += counts.lanes[lane].pending
            counts.lanes[lane].pending = 0
            counts.lanes[lane].dueSince = nil
        }
    }

    /// PostgreSQL was found in another timeline, or behind what it had committed, and the journal is replayed.
    /// - Parameter lostPositions: those that the journal holds no more.
    func rewound(lostPositions: Int) {
        counts.withLock { counts in
            counts.rewinds += 1
            counts.lostPositions += lostPositions
        }
    }

    /// The start has found PostgreSQL behind what it had committed, and the journal holds it no more.
    func lost(positions: Int) {
        counts.withLock { $0.lostPositions += positions }
    }

    /// A record was dead-lettered after it had been accepted.
    func refused(points: Int, reason: Rejection.Reason, isReplay: Bool) {
        counts.withLock { counts in
            counts.rejected += points
            counts.rejections[reason, default: 0] += 1
            if isReplay {
                let pending = counts.takeDropped(points)
                counts.replayed += points - pending
                counts.pending -= pending
            } else {
                counts.pending -= points
            }
        }
    }

    func given(points: Int, toLane lane: Int) {
        counts.withLock { $0.lanes[lane].pending += points }
    }

    /// A lane is to flush at once, or has begun to.
    func due(lane: Int) {
        counts.withLock { counts in
            if counts.lanes[lane].dueSince == nil { counts.lanes[lane].dueSince = .now }
        }
    }

    /// A flush failed and is tried again.
    func notFlushed(_ failure: FlushFailure) {
        counts.withLock { $0.flushFailures[failure, default: 0] += 1 }
    }

    /// A flush is committed.
    /// - Parameter delays: of its points, from their receipt until now.
    func flushed(_ outcome: FlushOutcome, byLane lane: Int, took: Duration, delays: Histogram) {
        counts.withLock { counts in
            counts.inserted += outcome.inserted
            counts.updated += outcome.updated
            counts.kept += outcome.kept
            counts.superseded += outcome.superseded
            counts.rejected += outcome.refused
            if outcome.refused > 0 { counts.rejections[.refusedByDatabase, default: 0] += outcome.refused }
            let points = outcome.inserted + outcome.updated + outcome.kept + outcome.superseded + outcome.refused
            counts.pending -= points
            counts.lanes[lane].pending -= points
            counts.lanes[lane].dueSince = nil
            counts.deleted += outcome.deletions.reduce(0) { $0 + $1.deleted }
            counts.copied += outcome.copied
            counts.flushes += 1
            if outcome.wasMergedWhole { counts.flushesMergedWhole += 1 }
            counts.flushTime.observe(took)
            counts.commitDelay.merge(delays)
        }
    }
}
