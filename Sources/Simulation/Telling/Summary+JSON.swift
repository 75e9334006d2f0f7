import Foundation

extension Summary {
    /// One JSON object, for scripts.
    public var json: String {
        var object: [String: Any] = [
            "seed": seed, "start": DateText.string(start), "gateways": gateways, "series": series,
            "first_node": nodes.lowerBound, "last_node": nodes.upperBound, "seconds": rounded(seconds),
            "sent_points": sentPoints, "sent_messages": sentMessages, "sent_bytes": sentBytes,
            "acknowledged_points": acknowledgedPoints, "acknowledged_messages": acknowledgedMessages,
            "acknowledged_points_per_second": rounded(Double(acknowledgedPoints) / max(seconds, 0.001)),
            "unheard_points": unheardPoints, "refused_points": refusedPoints, "unanswered_points": unansweredPoints,
            "late_answers": lateAnswers, "postponed_requests": postponed, "lost_connections": failures,
            "troubles": troubles.map { ["text": $0.text, "count": $0.count] as [String: Any] },
        ]
        if let latency50, let latency99 {
            object["latency_ms"] = ["p50": rounded(latency50), "p99": rounded(latency99)]
        }
        if !steps.isEmpty { object["steps"] = steps.map(\.object) }
        if let comparison {
            object["verification"] =
                [
                    "acknowledged": comparison.acknowledged, "stored": comparison.stored, "missing": comparison.missing,
                    "wrong": comparison.wrong, "unexpected": comparison.unexpected,
                    "unacknowledged": comparison.unacknowledged, "examples": comparison.examples,
                ] as [String: Any]
        }
        if let cleaned { object["cleaned_points"] = cleaned }
        // Nothing in it that JSON does not have.
        let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

/// To a thousandth, as a number that JSON prints short.
func rounded(_ number: Double) -> Decimal { Decimal(string: Numbers.decimal(number, 3)) ?? 0 }
