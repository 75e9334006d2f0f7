/// A gateway but for its connection: which message is next, when it is due, and what became of those before.
///
/// Belongs to one thread at a time.
final class Sender {
    let plan: Plan
    let gateway: Int
    private let course: Course
    private var itinerary: Itinerary
    private(set) var ledger = Ledger()
    /// The next message, and when it is due; nil at the plan's end.
    private(set) var upcoming: Message?
    private var due: Int64

    /// The pace, and the position and moment from which on it holds.
    private var speed: Double
    private var origin: (position: Int, moment: Int64)

    init(_ plan: Plan, gateway: Int, course: Course) {
        self.plan = plan
        self.gateway = gateway
        self.course = course
        itinerary = Itinerary(plan, gateway: gateway)
        speed = course.speed
        origin = (0, course.begin)
        due = course.begin
        upcoming = itinerary.next()
        due = moment()
    }

    /// The position that all before is sent.
    var position: Int { upcoming?.key.position ?? itinerary.position + 1 }

    func isDue(_ now: Int64) -> Bool {
        guard upcoming != nil, !course.isHalted else { return false }
        return speed == 0 ? now < course.endMoment : due <= min(now, course.endMoment)
    }

    /// Whether nothing will be due any more.
    func isFinished(_ now: Int64) -> Bool {
        upcoming == nil || course.isHalted || (speed == 0 ? now >= course.endMoment : due > course.endMoment)
    }

    /// When the next message is due that will be sent.
    func nextDue(_ now: Int64) -> Int64 { isFinished(now) ? .max : due }

    /// The upcoming message is under way.
    func sendUpcoming(_ now: Int64) {
        guard let message = upcoming else { return }
        ledger.send(message, at: now)
        let position = upcoming?.key.position
        upcoming = itinerary.next()
        if upcoming?.key.position != position { due = moment() }
    }

    func answer(_ key: Message.Key, _ answer: Ledger.Answer) -> Ledger.Flight? { ledger.answer(key, answer) }

    /// Takes over another pace that was set since. A backlog is forgotten by it.
    func adoptPace(_ now: Int64) {
        let speed = course.speed
        guard speed != self.speed else { return }
        self.speed = speed
        origin = (position, now)
        due = moment()
    }

    /// Points that are due and not acknowledged.
    func waitingPoints(_ now: Int64) -> Int {
        guard speed > 0, upcoming != nil else { return ledger.pointsUnderWay }
        let until = Double(min(now, course.endMoment) - origin.moment) / 1e9
        let positions = origin.position + Int(until * speed) - position
        return max(positions, 0) * plan.pointsPerMessage + ledger.pointsUnderWay
    }

    private func moment() -> Int64 {
        guard speed > 0, let upcoming else { return course.begin }
        return origin.moment
            + Int64(plan.due(gateway, upcoming.key.position, from: origin.position, speed: speed) * 1e9)
    }
}
