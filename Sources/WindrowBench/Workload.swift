import LibPQ
import Windrow

/// The messages of a case, the same for Windrow and for the limit: message `k` is of series `k % series`, and the points of a
/// series follow one another by a second.
struct Workload {
    var messages: Int
    var pointsPerMessage: Int
    var series: Int
    /// How many messages of a hundred hold points from before all others of their series.
    var latePercent = 0
    /// Seconds before the start over which late points are spread evenly; nil to have them follow one another backwards.
    var lateSpan: Int?
    /// Messages that other workloads of the same series have sent before.
    var before = 0

    var points: Int { messages * pointsPerMessage }

    /// 2023-01-01T00:00:00Z
    static let start: Int64 = 1_672_531_200_000_000

    func seriesNumber(ofMessage message: Int) -> Int { message % series + 1 }

    func point(_ number: Int, ofMessage message: Int, adding value: Int) -> Point {
        let place = (before + message) / series * pointsPerMessage + number
        // A prime, so that late messages are spread over all series.
        let isLate = message * 7919 % 100 < latePercent
        return Point(
            timestamp: Timestamp(microseconds: Self.start + (isLate ? lateTime(place) : Int64(place) * 1_000_000)),
            value: Double((message + number) % 1000 + value) + 0.5)
    }

    /// Microseconds from the start.
    private func lateTime(_ place: Int) -> Int64 {
        guard let lateSpan else { return Int64(-1 - place) * 1_000_000 }
        // Another prime: no two places share a second, unless it divides the span. Between the seconds, where the history has nothing.
        return Int64(-1 - place * 15_485_863 % lateSpan) * 1_000_000 + 500_000
    }

    /// The topic and payload of a message.
    /// - Parameters:
    ///   - overwrite: stated by the payload; nil for the plain forms.
    ///   - value: added to each value, so that an update changes something.
    func message(_ number: Int, overwrite: Overwrite? = nil, adding value: Int) -> (topic: String, payload: String) {
        let points = (0..<pointsPerMessage).map { place in
            let point = point(place, ofMessage: number, adding: value)
            return #"{"v":\#(point.value),"ts":"\#(point.timestamp)"}"#
        }.joined(separator: ",")
        let payload =
            switch (overwrite, pointsPerMessage) {
            case (let mode?, _): #"{"overwrite":"\#(mode.rawValue)","data":[\#(points)]}"#
            case (nil, 1): points
            default: "[\(points)]"
            }
        return ("nodes/\(seriesNumber(ofMessage: number))/t", payload)
    }
}
