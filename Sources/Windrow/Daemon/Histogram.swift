/// How often a quantity was how large: a count for each step of a fixed scale. What Prometheus is given, and what quantiles are read from.
///
/// To observe costs a search among some twenty numbers and no allocation, so it may be done for each batch or flush; never for each
/// message.
struct Histogram: Equatable, Sendable {
    /// The upper bounds of the buckets, in steps of 1, 2, 5, 10…, so that a quantile is at most 2.5 times off and a bound reads well.
    enum Scale: Sendable {
        /// 500 µs to 1000 s.
        case seconds
        /// 1 to 1,000,000.
        case points

        var bounds: [Double] { self == .seconds ? Self.secondBounds : Self.pointBounds }

        private static let secondBounds = [
            0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000,
        ]
        private static let pointBounds: [Double] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
            1_000_000,
        ]
    }

    let scale: Scale
    /// One for each bound, and the last for what is larger than all of them.
    private(set) var counts: [Int]
    private(set) var sum = 0.0

    init(_ scale: Scale) {
        self.scale = scale
        counts = Array(repeating: 0, count: scale.bounds.count + 1)
    }

    var count: Int { counts.reduce(0, +) }

    /// - Parameter weight: how often the value was observed.
    mutating func observe(_ value: Double, weight: Int = 1) {
        let bounds = scale.bounds
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += weight
        sum += value * Double(weight)
    }

    mutating func observe(_ duration: Duration, weight: Int = 1) {
        observe(duration / .seconds(1), weight: weight)
    }

    /// Adds what another one of the same scale has observed.
    mutating func merge(_ other: Histogram) {
        precondition(scale == other.scale, "histograms of different scales")
        for place in counts.indices { counts[place] += other.counts[place] }
        sum += other.sum
    }

    /// What was observed after an earlier state of this histogram.
    func since(_ earlier: Histogram) -> Histogram {
        precondition(scale == earlier.scale, "histograms of different scales")
        var later = self
        for place in counts.indices { later.counts[place] -= earlier.counts[place] }
        later.sum -= earlier.sum
        return later
    }

    /// The value that a share of the observations does not exceed, with those of a bucket thought to be spread evenly, as Prometheus'
    /// `histogram_quantile` has it; nil when nothing was observed. What is larger than all bounds counts as the largest one.
    /// - Parameter share: 0…1.
    func quantile(_ share: Double) -> Double? {
        let total = count
        guard total > 0 else { return nil }
        let rank = min(max(share, 0), 1) * Double(total)
        var below = 0
        for (bound, count) in zip(scale.bounds.indices, counts) {
            defer { below += count }
            guard count > 0, Double(below + count) >= rank else { continue }
            let lower = bound == 0 ? 0 : scale.bounds[bound - 1]
            return lower + (scale.bounds[bound] - lower) * (rank - Double(below)) / Double(count)
        }
        return scale.bounds.last
    }

    /// What Prometheus is told: for each bound how many observations do not exceed it, and for infinity how many there are.
    var cumulative: [(bound: Double, count: Int)] {
        var total = 0
        return zip(scale.bounds + [.infinity], counts).map { bound, count in
            total += count
            return (bound, total)
        }
    }
}
