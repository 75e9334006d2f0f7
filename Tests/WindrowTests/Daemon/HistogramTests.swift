import Testing

@testable import Windrow

@Suite struct HistogramTests {
    @Test("an observation counts in the bucket whose bound it does not exceed")
    func observing() {
        var histogram = Histogram(.seconds)
        histogram.observe(.zero)
        histogram.observe(.microseconds(500))
        histogram.observe(.microseconds(501))
        histogram.observe(.seconds(1000))
        histogram.observe(.seconds(1001), weight: 3)

        #expect(histogram.count == 7)
        #expect(histogram.counts.prefix(3) == [2, 1, 0])
        #expect(histogram.counts.suffix(2) == [1, 3])
        #expect(abs(histogram.sum - (1000 + 3 * 1001 + 0.001001)) < 1e-9)
        #expect(histogram.cumulative.map(\.count).suffix(2) == [4, 7])
        #expect(histogram.cumulative.last?.bound == .infinity)
    }

    @Test("what was observed since an earlier state is what was observed after it")
    func differences() {
        var earlier = Histogram(.points)
        for value in [1.0, 7, 40_000] { earlier.observe(value) }
        var added = Histogram(.points)
        for value in [2.0, 9_000_000] { added.observe(value, weight: 2) }
        var later = earlier
        later.merge(added)

        #expect(later.since(earlier) == added)
        #expect(later.count == 7)
    }

    @Test(
        "a quantile lies in the bucket that holds it, as far as the share goes",
        arguments: [(0.0, 1.0), (0.25, 1.5), (0.5, 2), (0.75, 3.5), (1, 5)])
    func quantiles(share: Double, expected: Double) throws {
        var histogram = Histogram(.points)
        histogram.observe(1.7, weight: 10)
        histogram.observe(4, weight: 10)
        let quantile = try #require(histogram.quantile(share))
        #expect(abs(quantile - expected) < 1e-9)
    }

    @Test("without observations there is no quantile, and past the largest bound it is that bound")
    func quantilesAtTheEnds() {
        var histogram = Histogram(.seconds)
        #expect(histogram.quantile(0.5) == nil)
        histogram.observe(1e6)
        #expect(histogram.quantile(0.5) == 1000)
        histogram.observe(0, weight: 3)
        #expect(histogram.quantile(0.5) == 0.0005 * 2 / 3)
    }
}
