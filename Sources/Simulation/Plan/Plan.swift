// A gateway goes through its series round after round. In round r, series s is at position r × series + s, and at a position the
// gateway sends: the block of points that it has just measured, unless that one is late; a block that is late since three rounds; a
// repetition of an earlier block; corrections of earlier blocks; and a chunk of old points, as long as there are some.
//
// Which of them there are is a function of seed, gateway, series and block alone. So the plan can be walked through in the order of
// sending, and, to verify, series by series in the order of time, and neither needs memory of the other. The order of sending never
// depends on what the network does: only the time of sending does.

/// Which points there are, with which values, and where in a gateway's sequence they are sent.
struct Plan: Sendable {
    let fleet: Fleet
    /// Of each gateway.
    let series: Int
    let pointsPerMessage: Int
    /// From one reading of a series to the next, in milliseconds.
    let spacing: Double
    /// Each timestamp of a run ends in these microseconds, so that runs on the same nodes don't meet.
    let residue: Int64
    /// Positions of each gateway, if the plan ends.
    let positions: Int?
    /// Positions per second of each gateway; nil for as many as can be.
    let speed: Double?
    let backfillingGateways: Int
    /// Old points of each series of a gateway that has some.
    let backfillPoints: Int

    private let startMilliseconds: Int64
    private let jitter: Double
    private let lateBelow: UInt64
    private let duplicatesBelow: UInt64
    private let correctionsBelow: UInt64

    /// Rounds between a block's turn and what is sent of it later.
    static let lateBy = 3
    static let duplicateAfter = 1
    static let correctionAfter = 2
    static let secondCorrectionAfter = 5
    /// Points of a message of old points, and the milliseconds between them.
    static let chunk = 1000
    static let backfillSpacing: Int64 = 600_000

    /// - Parameter fleet: a valid one.
    init(_ fleet: Fleet) {
        self.fleet = fleet
        series = fleet.seriesPerGateway
        pointsPerMessage = fleet.pointsPerMessage
        // Timestamps of a series differ by a millisecond at least, also where that is ahead of the clock.
        spacing = fleet.rate.map { max(Double(fleet.seriesCount) / $0 * 1000, 1) } ?? 1
        speed = fleet.rate.map { $0 / Double(fleet.pointsPerMessage * fleet.gateways) }
        startMilliseconds = fleet.start / 1000
        residue = Int64(Chance.mix(fleet.seed ^ Chance.mix(UInt64(bitPattern: startMilliseconds))) % 1000)
        let perPosition = fleet.pointsPerMessage * fleet.gateways
        positions = fleet.pointLimit.map { ($0 + perPosition - 1) / perPosition }
        jitter = spacing * (1 - fleet.jitter) >= 1 ? fleet.jitter : 0
        lateBelow = Chance.threshold(fleet.late)
        duplicatesBelow = Chance.threshold(fleet.duplicates)
        correctionsBelow = Chance.threshold(fleet.corrections)
        backfillPoints = fleet.backfill / Int(Self.backfillSpacing / 1000)
        let share = (Double(fleet.gateways) * fleet.backfillGateways).rounded()
        backfillingGateways = backfillPoints == 0 || fleet.backfillGateways == 0 ? 0 : max(Int(share), 1)
    }

    /// Whether anything but each block in its turn is sent.
    var isPlain: Bool { lateBelow + duplicatesBelow + correctionsBelow == 0 }

    // MARK: A series

    func node(_ gateway: Int, _ series: Int) -> Int64 {
        fleet.firstNode + Int64(gateway * fleet.nodesPerGateway + series / fleet.tags)
    }

    /// Counts from 0: `sim1` is 0.
    func tag(_ series: Int) -> Int { series % fleet.tags }

    func nodes(of gateway: Int) -> ClosedRange<Int64> {
        let first = fleet.firstNode + Int64(gateway * fleet.nodesPerGateway)
        return first...(first + Int64(fleet.nodesPerGateway) - 1)
    }

    @inline(__always)
    func seed(_ gateway: Int, _ series: Int) -> UInt64 { Chance.mix(fleet.seed, gateway * self.series + series) }

    /// How far into a gateway's first interval its first message is due: they don't all send at once.
    func phase(_ gateway: Int) -> Double { Chance.fraction(Chance.mix(fleet.seed ^ 0x5EED, gateway)) }

    // MARK: Points

    /// Microseconds since 1970-01-01 UTC of a series' reading, which count from 0. Ascending, strictly.
    func time(_ gateway: Int, _ series: Int, _ seed: UInt64, _ index: Int) -> Int64 {
        // A block's last reading is at the time at which it is due.
        let phase = (Double(series) + phase(gateway)) / Double(self.series)
        var place = phase * Double(pointsPerMessage) + Double(index - (pointsPerMessage - 1))
        if jitter > 0 { place += Chance.fraction(Chance.mix(seed ^ 0x71ED, index)) * jitter }
        return (startMilliseconds + Int64((place * spacing).rounded(.down))) * 1000 + residue
    }

    /// Of an old reading; all of them are before all others.
    func backfillTime(_ index: Int) -> Int64 {
        let end = startMilliseconds - Int64((Double(pointsPerMessage) * spacing).rounded(.up))
        return (end - Int64(backfillPoints - index) * Self.backfillSpacing) * 1000 + residue
    }

    /// Hundredths. A correction's values are larger by a thousand, a second one's by two.
    ///
    /// - Parameter index: of an old reading, counted back from -1.
    @inline(__always)
    static func value(_ seed: UInt64, _ index: Int, version: Int) -> Int {
        Int(Chance.mix(seed, index) % 10_000) + version * 100_000
    }

    // MARK: What is sent of a block, and when

    struct Fate {
        var isLate: Bool
        var isDuplicated: Bool
        var isCorrected: Bool
        var isCorrectedTwice: Bool
    }

    @inline(__always)
    func fate(_ seed: UInt64, _ block: Int) -> Fate {
        let bits = Chance.mix(seed ^ 0xFA7E, block)
        let isCorrected = bits >> 32 & 0xFFFF < correctionsBelow
        return Fate(
            isLate: bits & 0xFFFF < lateBelow, isDuplicated: bits >> 16 & 0xFFFF < duplicatesBelow,
            isCorrected: isCorrected, isCorrectedTwice: isCorrected && bits >> 48 & 1 == 1)
    }

    func chunks(of gateway: Int) -> Int {
        gateway < backfillingGateways ? (backfillPoints + Self.chunk - 1) / Self.chunk : 0
    }

    /// Seconds at which a position is due after the moment at which the gateway was at another one, at positions per second.
    func due(_ gateway: Int, _ position: Int, from origin: Int, speed: Double) -> Double {
        let jitter =
            fleet.jitter == 0 ? 0 : fleet.jitter * Chance.fraction(Chance.mix(UInt64(gateway) ^ 0xD0E, position))
        return (Double(position - origin) + phase(gateway) + jitter) / speed
    }
}
