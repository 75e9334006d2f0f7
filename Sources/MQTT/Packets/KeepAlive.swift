/// When to ping a broker, and when it has been silent for too long. MQTT 5, section 3.1.2.10.
///
/// Told what happens and what time it is; looks at no clock.
struct KeepAlive {
    typealias Instant = ContinuousClock.Instant

    enum Step: Equatable {
        case nothing, ping, giveUp
    }

    /// How long may pass without a packet to the broker; nil if the broker does not mind.
    private let interval: Duration?
    /// When the last packet left.
    private var sent: Instant
    /// From when on an answer to a ping is waited for, or anything else.
    private var waiting: Instant?
    /// Whether bytes came since the last step.
    private var hasHeard = false
    /// Whether the time is over, and whether all that had come by then has been looked at.
    private var isOverdue = false
    private var isDrained = false

    /// `step` is asked for about once a second, and must not be too late.
    private static let margin = Duration.seconds(1)

    init(seconds: UInt16, now: Instant) {
        interval = seconds == 0 ? nil : .seconds(Int(seconds))
        sent = now
    }

    /// Bytes left for the broker.
    mutating func sent(at now: Instant) { sent = now }

    /// Bytes came. A ping's answer may be a long way behind them.
    mutating func heard() { hasHeard = true }

    /// The answer to a ping came.
    mutating func answered() { waiting = nil }

    /// There was nothing left to be read.
    mutating func drained() { isDrained = true }

    /// What is to be done now. A ping counts as sent.
    mutating func step(at now: Instant) -> Step {
        guard let interval else { return .nothing }
        if hasHeard {
            (hasHeard, isOverdue) = (false, false)
            if waiting != nil { waiting = now }
        }
        guard let waiting else {
            guard now - sent >= max(interval - Self.margin, .zero) else { return .nothing }
            self.waiting = now
            isOverdue = false
            return .ping
        }
        guard now - waiting >= interval else { return .nothing }
        // Whoever was kept from reading for that long may find the answer yet.
        if isOverdue, isDrained { return .giveUp }
        if !isOverdue { (isOverdue, isDrained) = (true, false) }
        return .nothing
    }
}
