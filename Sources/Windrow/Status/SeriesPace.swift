// When a series is silent: nothing new has come for much longer than usual.
//
// An *arrival* is a flush that stores a point newer than all of the series before it; late data is none. (While the newest point lies
// in the future, a clock was wrong, and every flush counts.)
// A *gap* is the time between two arrivals, or, if that is longer, what the points of the second one are apart on average, up to an
// hour: a backfill or a burst writes in a second what took hours, and says nothing about a fast series; a clock that was years behind
// says nothing at all.
// *Usual* is the mean of the gaps, each weighted by its length, the last few times the usual gap counting most. It is what a random
// moment falls into: of an hourly batch of a thousand messages that is the hour, not the milliseconds between them.
// The *limit* is five times the usual gap, and at least `silent_after`.
// A series is *silent* if it was watched for at least its limit and nothing has arrived for longer than that.
// A gap in which it was silent counts as five usual ones, so that an outage of a day does not pass for its pace.
//
// Time is counted only while PostgreSQL works (`DomainHealth.workingTime`): what it keeps from being stored is not silent.

/// What is remembered of a series that was written since the start: its newest point and its pace, 40 bytes.
struct SeriesPace: Sendable {
    /// A tenth of a second of the time that counts; the numbers are good for 13 years.
    typealias Tick = UInt32

    static let ticksPerSecond: Float = 10
    /// How many times the usual gap is much longer than usual.
    static let factor: Float = 5
    /// How many usual gaps are remembered: a faster pace is the usual one after about this many of the slower.
    private static let memory: Float = 4
    /// Seconds that points can be apart to say something about the pace.
    private static let longestApart: Float = 3600

    let id: SeriesID
    private(set) var newest: Timestamp
    private(set) var value: Double
    private(set) var first: Tick
    private(set) var last: Tick
    /// The usual gap in seconds, as far as it is known; 0 before the second arrival.
    private(set) var usual: Float = 0
    /// Points a second.
    private(set) var rate: Float = 0

    /// The first arrival.
    init(_ id: SeriesID, newest point: Point, at tick: Tick) {
        self.id = id
        newest = point.timestamp
        value = point.value
        first = tick
        last = tick
    }

    /// A flush has stored points.
    /// - Parameters:
    ///   - point: the newest of them.
    ///   - silentAfter: seconds.
    mutating func heard(_ point: Point, count: Int, at tick: Tick, now: Timestamp, silentAfter: Float) {
        guard point.timestamp > newest || newest > now else { return }
        let passed = seconds(since: last, until: tick)
        let advance = Float(max(min(point.timestamp, now).microseconds - newest.microseconds, 0)) / 1e6
        var gap = max(passed, min(advance / Float(max(count, 1)), Self.longestApart))
        if usual > 0, isSilent(at: tick, silentAfter: silentAfter) { gap = min(gap, usual * Self.factor) }
        let remembered = Self.memory * usual
        if passed + remembered > 0 { rate = (rate * remembered + Float(count)) / (passed + remembered) }
        if gap > 0 { usual += (gap - usual) * gap / (gap + remembered) }
        newest = point.timestamp
        value = point.value
        last = tick
    }

    /// Seconds of silence that are much longer than usual.
    func limit(silentAfter: Float) -> Float { max(usual * Self.factor, silentAfter) }

    /// Seconds since the last arrival.
    func quiet(at tick: Tick) -> Float { seconds(since: last, until: tick) }

    /// Whether it was watched for long enough to say what is usual.
    func isKnown(silentAfter: Float) -> Bool {
        usual > 0 && seconds(since: first, until: last) >= limit(silentAfter: silentAfter)
    }

    func isSilent(at tick: Tick, silentAfter: Float) -> Bool {
        isKnown(silentAfter: silentAfter) && quiet(at: tick) > limit(silentAfter: silentAfter)
    }

    /// Points a second, fading once nothing comes for longer than usual.
    func rate(at tick: Tick) -> Float {
        let late = quiet(at: tick) - usual
        return late > 0 && usual > 0 ? rate * Self.memory * usual / (Self.memory * usual + late) : rate
    }

    private func seconds(since earlier: Tick, until later: Tick) -> Float {
        later > earlier ? Float(later - earlier) / Self.ticksPerSecond : 0
    }
}

extension SeriesPace.Tick {
    /// The time that has counted since the start.
    init(_ time: Duration) {
        let (seconds, attoseconds) = time.components
        self.init(clamping: seconds * 10 + attoseconds / 100_000_000_000_000_000)
    }
}
