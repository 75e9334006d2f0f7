/// A gateway's plan, with the model of what its messages make of its series.
struct GatewayLoad: Load {
    private var plan: GatewayPlan
    private(set) var model = Model()

    init(_ plan: GatewayPlan) {
        self.plan = plan
    }

    mutating func next(injection: Int) -> Handover? {
        let message = plan.next()
        model.apply(message.edit, injection: injection)
        return Handover(
            packet: PublishPacket.Body(
                topic: message.topic, overwrite: message.property?.rawValue, payload: message.payload),
            points: message.edit.sent.count)
    }

    mutating func repetition(of sent: Int) -> Int { plan.repetition(of: sent) }
}

/// A stream gateway's plan, with what it has sent.
struct StreamLoad: Load {
    private(set) var plan: StreamPlan
    private(set) var model: StreamModel

    init(_ plan: StreamPlan) {
        self.plan = plan
        model = StreamModel(plan)
    }

    mutating func next(injection: Int) -> Handover? {
        guard let message = plan.next() else { return nil }
        model.apply(message, injection: injection)
        let edit = Edit(series: plan.series[message.series], mode: .insert, points: message.points)
        return Handover(
            packet: PublishPacket.Body(
                topic: "stream/\(edit.series)", overwrite: nil, payload: Payload.mqtt(edit, statesMode: false)),
            points: message.points.count)
    }

    mutating func repetition(of sent: Int) -> Int { 0 }
}

/// Inserts of one point after the other, of which anyone may know time and value: what another writer writes beside the daemon.
struct TwinLoad: Load {
    static let series = SeriesName(node: .id(900), tag: "twin")
    private(set) var model = Model()
    private var sent = 0
    /// Tells the other writer how far the gateway is.
    let head: SharedCount
    private let root: String

    init(head: SharedCount, root: String) {
        self.head = head
        self.root = root
    }

    static func point(_ number: Int) -> Point {
        Point(microseconds: Timestamp.start + Int64(number) * Timestamp.second, value: Double(number) + 0.75)
    }

    mutating func next(injection: Int) -> Handover? {
        let points = (sent..<sent + 5).map(Self.point)
        sent += points.count
        head.value.store(sent, ordering: .releasing)
        let edit = Edit(series: Self.series, mode: .insert, points: points)
        model.apply(edit, injection: injection)
        return Handover(
            packet: PublishPacket.Body(
                topic: "\(root)/\(edit.series)", overwrite: nil, payload: Payload.mqtt(edit, statesMode: false)),
            points: points.count)
    }

    mutating func repetition(of sent: Int) -> Int { 0 }
}
