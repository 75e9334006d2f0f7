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

    var points: Int { messages * pointsPerMessage }

    /// 2023-01-01T00:00:00Z
    private static let start: Int64 = 1_672_531_200_000_000

    func seriesNumber(ofMessage message: Int) -> Int { message % series + 1 }

    func point(_ number: Int, ofMessage message: Int, adding value: Int) -> Point {
        let place = message / series * pointsPerMessage + number
        // A prime, so that late messages are spread over all series.
        let isLate = message * 7919 % 100 < latePercent
        return Point(
            timestamp: Timestamp(microseconds: Self.start + Int64(isLate ? -1 - place : place) * 1_000_000),
            value: Double((message + number) % 1000 + value) + 0.5)
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
