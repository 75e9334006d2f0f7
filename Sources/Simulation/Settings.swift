import MQTT

/// What to simulate, against what.
public struct Settings: Sendable {
    public enum Target: Sendable {
        /// The client id is given to each gateway, and so are the bounds on what is in flight.
        case broker(Client.Options)
        case server(RequestTarget)
    }

    public var fleet: Fleet
    public var dropOuts = DropOuts()
    public var target: Target
    public var topic: TopicForm
    /// Seconds; nil: until the plan ends or SIGINT comes.
    public var duration: Double?
    /// Messages of a gateway that may be under way over MQTT, if the broker allows as many.
    public var inFlight: UInt16 = 200
    public var threads = 1
    /// Where points are stored; nil if nobody is to look there.
    public var database: DatabaseTarget?
    /// Compares what was acknowledged with what is stored, in the database, or else by GET.
    public var verifies = false
    /// Sends nothing: all of the plan counts as acknowledged by an earlier run.
    public var verifiesOnly = false
    public var verifyPatience = Duration.seconds(30)
    /// Deletes the points of the fleet's nodes afterwards.
    public var cleans = false
    /// Raises the rate step by step, from the fleet's on.
    public var sizing: SizingSettings?

    public struct SizingSettings: Sendable {
        public var firstRate: Double
        public var stepSeconds: Double

        public init(firstRate: Double, stepSeconds: Double) {
            self.firstRate = firstRate
            self.stepSeconds = stepSeconds
        }
    }

    public init(fleet: Fleet, target: Target, topic: TopicForm) {
        self.fleet = fleet
        self.target = target
        self.topic = topic
    }

    func validate() throws(FleetError) {
        try fleet.validate()
        try dropOuts.validate()
        if let duration, !(duration > 0 && duration <= 1e8) {
            throw FleetError("--duration must be longer than nothing")
        }
        if inFlight == 0 { throw FleetError("--in-flight must be at least 1") }
        guard (1...64).contains(threads) else { throw FleetError("--threads must be 1 to 64") }
        if verifies, database == nil, case .broker = target {
            throw FleetError("--verify has to know where points are stored: give --config, or --postgres")
        }
        if verifiesOnly, fleet.pointLimit == nil {
            throw FleetError(
                "--verify-only compares what an earlier run had acknowledged: give its --seed, --start and --points")
        }
        if cleans, database == nil {
            throw FleetError("--clean has to know where points are stored: give --config, or --postgres")
        }
        if let sizing {
            guard sizing.firstRate > 0, sizing.stepSeconds >= 1 else { throw FleetError("--step must be at least 1s") }
        }
    }
}
