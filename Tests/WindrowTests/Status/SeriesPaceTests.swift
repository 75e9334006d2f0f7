import Testing

@testable import Windrow

/// A series whose points come as a test says, on a clock of its own; seconds throughout.
private struct Station {
    var pace: SeriesPace
    let silentAfter: Float

    /// - Parameter newest: of the first arrival, at second 0.
    init(silentAfter: Float = 60, newest: Double = 0) {
        pace = SeriesPace(SeriesID(1), newest: Point(timestamp: Self.time(newest), value: 0), at: 0)
        self.silentAfter = silentAfter
    }

    static func time(_ second: Double) -> Timestamp {
        Timestamp(microseconds: 1_700_000_000_000_000 + Int64(second * 1_000_000))
    }

    static func tick(_ second: Double) -> SeriesPace.Tick { SeriesPace.Tick(.seconds(second)) }

    /// Points arrive; the newest one is of the same moment unless another is given.
    mutating func hear(at second: Double, newest: Double? = nil, count: Int = 1) {
        pace.heard(
            Point(timestamp: Self.time(newest ?? second), value: second), count: count, at: Self.tick(second),
            now: Self.time(second), silentAfter: silentAfter)
    }

    mutating func hear(every gap: Double, from start: Double, until end: Double) {
        for second in stride(from: start, through: end, by: gap) { hear(at: second) }
    }

    func isSilent(at second: Double) -> Bool { pace.isSilent(at: Self.tick(second), silentAfter: silentAfter) }
}

@Suite struct SeriesPaceTests {
    @Test("a series takes 40 bytes")
    func size() {
        #expect(MemoryLayout<SeriesPace>.stride == 40)
    }

    @Test("a steady series is silent after five times its gap, and no more once it comes again")
    func steady() {
        var station = Station()
        station.hear(every: 30, from: 30, until: 600)
        #expect(abs(station.pace.usual - 30) < 0.5)
        #expect(!station.isSilent(at: 600 + 149))
        #expect(station.isSilent(at: 600 + 152))
        station.hear(at: 2000)
        #expect(!station.isSilent(at: 2001))
    }

    @Test("a fast series is not silent before silent_after has passed")
    func least() {
        var station = Station(silentAfter: 60)
        station.hear(every: 1, from: 1, until: 300)
        #expect(!station.isSilent(at: 300 + 59))
        #expect(station.isSilent(at: 300 + 61))
    }

    @Test("a series that was watched for less than its limit is not judged")
    func young() {
        var station = Station()
        #expect(!station.isSilent(at: 1e6))
        station.hear(at: 300)
        #expect(!station.isSilent(at: 1e6))
        station.hear(every: 300, from: 600, until: 1800)
        #expect(station.isSilent(at: 1e6))
    }

    @Test("a burst does not pass for a fast series, whether it comes in one flush or in a thousand")
    func burst() {
        for flushes in [1, 10, 1000] {
            var station = Station()
            station.hear(every: 600, from: 600, until: 6000)
            for flush in 1...flushes {
                station.hear(at: 6000 + Double(flush), newest: 6000 + Double(flush), count: 1000 / flushes)
            }
            let end = 6000 + Double(flushes)
            for later in [1.0, 60, 600, 1200] { #expect(!station.isSilent(at: end + later), "\(flushes) flushes") }
            #expect(station.pace.usual > 300)
            #expect(station.isSilent(at: end + 6000))
        }
    }

    @Test("hourly batches, each in a few flushes, are never silent between two of them")
    func batches() {
        var station = Station()
        for hour in 0..<48 {
            let start = Double(hour) * 3600
            // Twelve points of five minutes before each flush, up to the full hour.
            for flush in 1...5 {
                station.hear(at: start + Double(flush), newest: start - 3600 + Double(flush) * 720, count: 12)
            }
            #expect(!station.isSilent(at: start + 3599), "after hour \(hour)")
        }
        #expect(station.isSilent(at: 48 * 3600 + 5 * 3600))
    }

    @Test("a backfill of years does not make a new series look silent a second or an hour later")
    func backfill() {
        var station = Station(newest: -1e8)
        // A day of points ten minutes apart in every flush, a flush a second.
        for day in 1...1000 { station.hear(at: Double(day), newest: -1e8 + Double(day) * 86_400, count: 144) }
        #expect(abs(station.pace.usual - 600) < 60)
        for later in [1.0, 60, 600, 1800] { #expect(!station.isSilent(at: 1000 + later)) }
    }

    @Test("late data is no arrival: it neither hides silence nor changes what is usual")
    func lateData() {
        var station = Station()
        station.hear(every: 60, from: 60, until: 1200)
        let before = station.pace
        for second in 1...600 { station.hear(at: 1200 + Double(second), newest: Double(second), count: 1000) }
        #expect(station.pace.usual == before.usual)
        #expect(station.pace.newest == before.newest)
        #expect(station.isSilent(at: 1801))
    }

    @Test("a point from the future does not make those that follow late data")
    func future() {
        var station = Station()
        station.hear(every: 10, from: 10, until: 300)
        station.hear(at: 310, newest: 1e7)
        station.hear(every: 10, from: 320, until: 600)
        #expect(station.pace.newest == Station.time(600))
        #expect(!station.isSilent(at: 610))
        #expect(station.isSilent(at: 1200))
    }

    @Test("a clock that was years behind or ahead is forgotten within hours")
    func wrongClock() {
        for wrong in [-1e9, 1e8] {
            var station = Station(newest: wrong)
            station.hear(every: 10, from: 10, until: 5 * 3600)
            #expect(station.pace.usual < 15)
            #expect(station.isSilent(at: 5 * 3600 + 100))
        }
    }

    @Test("an outage is not taken for the pace: the next silence is noticed, too")
    func outage() {
        var station = Station()
        station.hear(every: 10, from: 10, until: 600)
        #expect(station.isSilent(at: 80_000))
        station.hear(every: 10, from: 86_400, until: 86_700)
        #expect(station.pace.usual < 12)
        #expect(station.isSilent(at: 86_700 + 70))
    }

    @Test("a slower pace is learned after a few alarms, a faster one after about four of the former gaps")
    func changes() {
        var station = Station()
        station.hear(every: 10, from: 10, until: 600)
        station.hear(every: 3600, from: 4200, until: 4200 + 9 * 3600)
        #expect(abs(station.pace.usual - 3600) < 1000)
        #expect(!station.isSilent(at: 4200 + 10 * 3600))
        let start: Double = 4200 + 9 * 3600
        station.hear(every: 10, from: start + 10, until: start + 6 * 3600)
        #expect(station.pace.usual < 60)
    }

    @Test("the rate is that of the points that come, and fades when none do")
    func rate() {
        var station = Station()
        for second in stride(from: 5.0, through: 500, by: 5) { station.hear(at: second, count: 10) }
        #expect(abs(station.pace.rate(at: Station.tick(500)) - 2) < 0.05)
        #expect(station.pace.rate(at: Station.tick(1000)) < 0.1)
    }
}
