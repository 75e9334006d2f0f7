/// How a run went.
public struct Summary: Sendable {
    /// What makes the same run again.
    public var seed: UInt64
    public var start: Int64
    public var gateways: Int
    public var series: Int
    public var nodes: ClosedRange<Int64>
    public var seconds: Double
    public var sentPoints: Int
    public var sentMessages: Int
    public var sentBytes: Int
    public var acknowledgedPoints: Int
    public var acknowledgedMessages: Int
    /// Taken by a broker that had nobody to give them to.
    public var unheardPoints: Int
    public var refusedPoints: Int
    /// Sent, and neither acknowledged nor refused by the end.
    public var unansweredPoints: Int
    public var lateAnswers: Int
    public var postponed: Int
    public var failures: Int
    /// Milliseconds from sending to acknowledgement; nil without any.
    public var latency50: Double?
    public var latency99: Double?
    public var troubles: [(text: String, count: Int)]
    public var steps: [SizingStep] = []
    /// Nil if nothing was compared.
    public var comparison: Comparison?
    /// Points that were deleted afterwards; nil if that was not asked for.
    public var cleaned: Int?

    init(_ plan: Plan, _ report: Report, seconds: Double, unansweredPoints: Int) {
        let (fleet, tally) = (plan.fleet, report.tally)
        seed = fleet.seed
        start = fleet.start
        gateways = fleet.gateways
        series = fleet.seriesCount
        nodes = fleet.nodes
        self.seconds = seconds
        sentPoints = tally.sentPoints
        sentMessages = tally.sentMessages
        sentBytes = tally.sentBytes
        acknowledgedPoints = tally.acknowledgedPoints
        acknowledgedMessages = tally.acknowledgedMessages
        unheardPoints = tally.unheardPoints
        refusedPoints = tally.refusedPoints
        self.unansweredPoints = unansweredPoints
        lateAnswers = tally.lateAnswers
        postponed = tally.postponed
        failures = tally.failures
        latency50 = tally.latency.milliseconds(0.5)
        latency99 = tally.latency.milliseconds(0.99)
        troubles = report.troubles.counts
    }
}

extension Summary: CustomStringConvertible {
    public var description: String {
        let fleet =
            "\(Numbers.grouped(gateways)) gateways, \(Numbers.grouped(series)) series, nodes \(nodes.lowerBound) to \(nodes.upperBound), "
            + Numbers.duration(seconds)
        return ([fleet] + sending + verdict).joined(separator: "\n")
    }

    private var sending: [String] {
        guard sentMessages > 0 else { return [] }
        var lines = [
            "sent          \(Numbers.grouped(sentPoints)) points in \(Numbers.grouped(sentMessages)) messages: "
                + "\(Numbers.rate(sentPoints, over: seconds)) points/s, \(Numbers.rate(sentMessages, over: seconds)) messages/s, "
                + "\(Numbers.bytes(Double(sentBytes) / max(seconds, 0.001)))/s",
            "acknowledged  \(Numbers.grouped(acknowledgedPoints)) points: \(Numbers.rate(acknowledgedPoints, over: seconds)) points/s, "
                + "50 % within \(Numbers.milliseconds(latency50)), 99 % within \(Numbers.milliseconds(latency99))",
        ]
        if unheardPoints > 0 {
            lines.append(
                "unheard       \(Numbers.grouped(unheardPoints)) points: the broker took them and threw them away, because nobody "
                    + "subscribes to their topic. Is windrow running, and subscribed to it?")
        }
        if refusedPoints > 0 { lines.append("refused       \(Numbers.grouped(refusedPoints)) points") }
        if unansweredPoints > 0 {
            lines.append("unanswered    \(Numbers.grouped(unansweredPoints)) points: they may be stored or not")
        }
        if lateAnswers > 0 {
            lines.append(
                "late          \(Numbers.grouped(lateAnswers)) requests answered 202: PostgreSQL could not keep up")
        }
        for (text, count) in troubles { lines.append("trouble       \(Numbers.grouped(count)) × \(text)") }
        if !steps.isEmpty { lines += SizingStep.table(steps) }
        return lines
    }

    private var verdict: [String] {
        var lines: [String] = []
        if let comparison {
            lines.append(
                "verified      acknowledged \(Numbers.grouped(comparison.acknowledged)) different points; "
                    + "stored \(Numbers.grouped(comparison.stored)); missing \(Numbers.grouped(comparison.missing)), "
                    + "wrong \(Numbers.grouped(comparison.wrong)), unexpected \(Numbers.grouped(comparison.unexpected))"
            )
            if comparison.unacknowledged > 0 {
                lines.append(
                    "              \(Numbers.grouped(comparison.unacknowledged)) more are stored whose acknowledgement did not come"
                )
            }
            lines += comparison.examples.map { "              \($0)" }
        }
        if let cleaned { lines.append("cleaned       \(Numbers.grouped(cleaned)) points deleted") }
        return lines
    }
}
