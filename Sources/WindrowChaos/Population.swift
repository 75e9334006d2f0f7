import WindrowTestSupport

/// All clients of a run, with their plans.
struct Population {
    let gateways: [Gateway<GatewayLoad>]
    let stream: Gateway<StreamLoad>
    let twin: Gateway<TwinLoad>
    /// None with one daemon.
    let shared: [Gateway<SharedLoad>]
    let requests: [RequestClient]

    private static let gatewayCount = 4
    private static let requestClientCount = 3
    private static let sharedCount = 2

    init(_ stage: Stage, minutes: Double) {
        let (seed, course, port) = (stage.seed, stage.course, stage.cluster.home.mqttPort)
        // Where the order counts, one daemon has all that a client sends.
        func subject(_ number: Int) -> Subject { stage.subjects[number % stage.subjects.count] }
        gateways = (0..<Self.gatewayCount).map { client in
            let plan = GatewayPlan(
                seed: seed, client: client, nodes: Self.nodes(client, seed), tags: 3, root: subject(client).root)
            return Gateway(
                name: "gateway \(client)", port: port, messagesPerSecond: 90, load: GatewayLoad(plan), course: course)
        }
        requests = (0..<Self.requestClientCount).map { number in
            let client = 10 + number
            let plan = RequestPlan(seed: seed, client: client, nodes: Self.nodes(client, seed), tags: 3)
            return RequestClient(
                name: "client \(number)", port: subject(number).process.httpPort, plan: plan, course: course)
        }
        // 3 points a message on average. What an outage holds up is made up for only in part.
        let messages = 20
        let seriesCount = 4
        let limit = Int(minutes * 60) * messages * 3 / seriesCount + 300
        let plan = StreamPlan(seed: seed, client: 20, node: 800, seriesCount: seriesCount, limit: limit)
        stream = Gateway(
            name: "stream gateway", port: port, messagesPerSecond: messages, load: StreamLoad(plan), course: course)
        twin = Gateway(
            name: "twin gateway", port: port, messagesPerSecond: 20,
            load: TwinLoad(head: stage.twinHead, root: subject(1).root), course: course)
        shared = (0..<(stage.subjects.count > 1 ? Self.sharedCount : 0)).map { number in
            let client = 30 + number
            return Gateway(
                name: "shared gateway \(number)", port: port, messagesPerSecond: 60,
                load: SharedLoad(seed: seed, client: client, nodes: Self.nodes(client, seed), tags: 3), course: course)
        }
    }

    var clients: [any Client] { gateways + shared + [stream, twin] + requests }

    /// Three nodes by number and one by UUID, of this client alone.
    private static func nodes(_ client: Int, _ seed: UInt64) -> [SeriesName.Node] {
        numberedNodes(client).map { .id($0) } + [.uuid(uuid(client, seed))]
    }

    private static func uuid(_ client: Int, _ seed: UInt64) -> String {
        var generator = Generator(seed: seed, stream: 3000 + client)
        let digits = (0..<32).map { _ in String(generator.int(0...15), radix: 16) }
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { digits[$0].joined() }.joined(separator: "-")
    }

    /// Nodes that have to be there before the first UUID is given the next free number.
    static var numberedNodes: [Int64] {
        let clients =
            Array(0..<gatewayCount) + Array(10..<10 + requestClientCount) + Array(30..<30 + sharedCount)
        return clients.flatMap(numberedNodes) + [800, 900, 901]
    }

    private static func numberedNodes(_ client: Int) -> [Int64] {
        let first = Int64(client) * 10 + 1
        return Array(first..<first + 3)
    }

    /// What the clients' series must hold, but for the stream's. They have to be done.
    var model: Model {
        var model = Model()
        for gateway in gateways { model.formUnion(gateway.load.model) }
        for gateway in shared { model.formUnion(gateway.load.model) }
        for client in requests { model.formUnion(client.model) }
        return model
    }

    /// Points, by the injection under which they were acknowledged.
    var acknowledged: [Int: Int] {
        clients.reduce(into: [:]) { all, client in all.merge(client.counters.acknowledged, uniquingKeysWith: +) }
    }
}
