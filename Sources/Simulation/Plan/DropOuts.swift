/// When gateways are away. Each of them vanishes once in a cycle, for as long as it takes to be away for its share of the time.
public struct DropOuts: Sendable, Equatable {
    /// Of the time of each gateway, and so of the gateways at any moment; 0 to 0.9.
    public var share: Double
    /// Of one drop-out.
    public var seconds: Double

    public init(share: Double = 0, seconds: Double = 10) {
        self.share = share
        self.seconds = seconds
    }

    public func validate() throws(FleetError) {
        guard (0...0.9).contains(share) else { throw FleetError("--drop-outs is a share of the gateways, 0 to 0.9") }
        guard seconds > 0, seconds <= 86_400 else {
            throw FleetError("--drop-out-length must be above 0, at most a day")
        }
    }

    /// The drop-out that a gateway is in, or the next one, in seconds since the beginning.
    func next(_ gateway: Int, at time: Double) -> Range<Double> {
        guard share > 0 else { return .infinity ..< .infinity }
        let cycle = seconds / share
        var number = Int(max(time, 0) / cycle)
        while true {
            let place = Chance.fraction(Chance.mix(UInt64(gateway) ^ 0xD0_0D, number)) * (cycle - seconds)
            let start = Double(number) * cycle + place
            if time < start + seconds { return start..<(start + seconds) }
            number += 1
        }
    }
}
