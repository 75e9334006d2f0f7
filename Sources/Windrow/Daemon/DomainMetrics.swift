import Synchronization

// The accounting. Each point that came in is counted again for what became of it, and the two sides meet:
//
//   received + replayed = inserted + updated + kept + superseded + rejected + pending
//
// A message that is rejected before its points are known counts as one point. Replayed are points that an earlier run of the
// daemon accepted and this one reads back from the journal.

/// A domain's counters.
final class DomainMetrics: Sendable {
    struct Counts: Equatable, Sendable {
        var messages = 0
        var retainedSkipped = 0
        var records = 0
        var received = 0
        var replayed = 0
        var inserted = 0
        var updated = 0
        var kept = 0
        var superseded = 0
        var rejected = 0
        var pending = 0
        var deleted = 0
        var copied = 0
        /// Messages and records, by reason.
        var rejections: [Rejection.Reason: Int] = [:]
        var flushes = 0
        var flushesMergedWhole = 0
        /// HTTP requests, by the status of their answer.
        var requests: [Int: Int] = [:]
        /// Points of each transaction of the journal that accepts records.
        var batchPoints = Histogram(.points)
        /// What such a transaction takes until it is on the disk.
        var appendTime = Histogram(.seconds)
        /// What a flush takes, of several tries the one that is committed.
        var flushTime = Histogram(.seconds)
        /// For each point, from the receipt of its batch's first record to its commit to PostgreSQL. Without points that an earlier run
        /// received.
        var commitDelay = Histogram(.seconds)
    }

    private let counts = Mutex(Counts())

    var snapshot: Counts { counts.withLock { $0 } }

    /// What intake took from a broker and has had accepted, all but the points of the batch.
    func received(messages: Int, retainedSkipped: Int, rejections: [Rejection.Reason]) {
        counts.withLock { counts in
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
    func answered(_ status: Int) {
        counts.withLock { $0.requests[status, default: 0] += 1 }
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

    /// Points that an earlier run accepted are on their way again.
    func replayed(points: Int) {
        counts.withLock { counts in
            counts.replayed += points
            counts.pending += points
        }
    }

    /// A record was dead-lettered after it had been accepted.
    func refused(points: Int, reason: Rejection.Reason, isReplay: Bool) {
        counts.withLock { counts in
            counts.rejected += points
            counts.rejections[reason, default: 0] += 1
            if isReplay { counts.replayed += points } else { counts.pending -= points }
        }
    }

    /// A flush is committed.
    /// - Parameter delays: of its points, from their receipt until now.
    func flushed(_ outcome: FlushOutcome, took: Duration, delays: Histogram) {
        counts.withLock { counts in
            counts.inserted += outcome.inserted
            counts.updated += outcome.updated
            counts.kept += outcome.kept
            counts.superseded += outcome.superseded
            counts.rejected += outcome.refused
            if outcome.refused > 0 { counts.rejections[.refusedByDatabase, default: 0] += outcome.refused }
            counts.pending -= outcome.inserted + outcome.updated + outcome.kept + outcome.superseded + outcome.refused
            counts.deleted += outcome.deletions.reduce(0) { $0 + $1.deleted }
            counts.copied += outcome.copied
            counts.flushes += 1
            if outcome.wasMergedWhole { counts.flushesMergedWhole += 1 }
            counts.flushTime.observe(took)
            counts.commitDelay.merge(delays)
        }
    }
}
