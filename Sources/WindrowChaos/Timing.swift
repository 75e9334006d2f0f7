/// How long things last, by the length of the run: in a short one everything comes once, in a long one it lasts longer than the
/// daemon's own limits.
struct Timing {
    /// Seconds between two faults.
    var calm: ClosedRange<Double>
    /// Of a server or a network that is away.
    var outage: ClosedRange<Double>
    /// Of a PostgreSQL that is stopped. The daemon takes a statement for dead after 65 s.
    var postgresPause: ClosedRange<Double>
    /// Of a lock on the table. The daemon's statement_timeout is 60 s.
    var lock: ClosedRange<Double>
    /// How long a daemon may take to reach a fault point.
    var faultPoint: Duration

    static let short = Timing(
        calm: 0.2...0.8, outage: 0.5...1.5, postgresPause: 2...3, lock: 2...3, faultPoint: .seconds(5))
    static let middle = Timing(
        calm: 0.5...3, outage: 1...6, postgresPause: 8...15, lock: 8...15, faultPoint: .seconds(10))
    static let long = Timing(
        calm: 1...5, outage: 1...12, postgresPause: 75...75, lock: 60...65, faultPoint: .seconds(20))

    init(
        calm: ClosedRange<Double>, outage: ClosedRange<Double>, postgresPause: ClosedRange<Double>,
        lock: ClosedRange<Double>, faultPoint: Duration
    ) {
        self.calm = calm
        self.outage = outage
        self.postgresPause = postgresPause
        self.lock = lock
        self.faultPoint = faultPoint
    }

    init(minutes: Double) {
        self = minutes < 3 ? .short : minutes < 15 ? .middle : .long
    }
}
