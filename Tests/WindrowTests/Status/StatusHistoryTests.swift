import Testing

@testable import Windrow

@Suite struct StatusHistoryTests {
    @Test("the last fifteen minutes are kept, the oldest sample first")
    func ring() {
        var history = StatusHistory()
        #expect(history.samples.isEmpty)
        #expect(history.last == nil)
        for count in 1...1000 {
            history.append(StatusHistory.Sample(pending: Float(count)))
            #expect(history.last?.pending == Float(count))
            let first = max(count - StatusHistory.capacity, 0) + 1
            #expect(history.samples.map(\.pending) == (first...count).map(Float.init))
        }
        #expect(StatusHistory.step * StatusHistory.capacity == .seconds(900))
        #expect(StatusHistory.capacity * MemoryLayout<StatusHistory.Sample>.stride < 8 << 10)
    }

    @Test("rates are what was counted between two samples, by the time that really passed")
    func rates() {
        var gauge = StatusGauge()
        var counts = DomainMetrics.Counts()
        let start = ContinuousClock.now
        #expect(gauge.sample(counts, journalBytes: 0, at: start) == nil)
        counts.received = 1000
        counts.inserted = 400
        counts.superseded = 100
        counts.pending = 500
        let sample = gauge.sample(counts, journalBytes: 4096, at: start + .seconds(10))
        #expect(sample?.received == 100)
        #expect(sample?.settled == 50)
        #expect(sample?.pending == 500)
        #expect(sample?.journalBytes == 4096)
        #expect(gauge.sample(counts, journalBytes: 0, at: start + .seconds(15))?.received == 0)
    }

    @Test("flush times are those of the last minute, and none where nothing was flushed")
    func flushTimes() throws {
        var gauge = StatusGauge()
        var counts = DomainMetrics.Counts()
        let start = ContinuousClock.now
        var medians: [Float?] = []
        for sample in 0..<30 {
            // Of 15 ms, for half a minute from the fifth sample on.
            if (5..<11).contains(sample) { counts.flushTime.observe(0.015, weight: 10) }
            let taken = gauge.sample(counts, journalBytes: 0, at: start + StatusHistory.step * sample)
            medians.append(taken?.flushMedian)
            #expect((taken?.flushMedian == nil) == (taken?.flushSlowest == nil))
        }
        #expect(medians.indices.filter { medians[$0] != nil } == Array(5..<22))
        // A histogram's: between the bounds of 10 and 20 ms.
        for median in medians { if let median { #expect((0.01...0.02).contains(median)) } }
    }
}
