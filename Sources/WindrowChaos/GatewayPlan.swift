/// What one MQTT gateway sends, message by message, in all modes and forms.
struct GatewayPlan {
    /// A message and the edit that it states.
    struct Message {
        var edit: Edit
        var topic: String
        var payload: String
        /// The mode as MQTT 5 user property, for payloads that don't state it.
        var property: Mode?
    }

    /// The first level of its topics.
    private let root: String
    private var generator: Generator
    private var series: [SeriesPlan]
    private var poisonCount = 0

    /// - Parameters:
    ///   - nodes: of this client alone.
    ///   - tags: of each node.
    init(seed: UInt64, client: Int, nodes: [SeriesName.Node], tags: Int, root: String = "nodes") {
        self.root = root
        generator = Generator(seed: seed, stream: client)
        series = nodes.flatMap { node in
            (0..<tags).map { SeriesPlan(name: SeriesName(node: node, tag: "t\($0)"), client: client) }
        }
    }

    mutating func next() -> Message {
        let mode = generator.pick([(5, Mode.insert), (2, .update), (3, .replace)])
        let number = generator.chance(0.002) ? poisonCount : nil
        if number != nil { poisonCount += 1 }
        let place = generator.int(0...series.count - 1)
        let edit = series[place].next(mode, poisonNumber: number, &generator)
        // A stated window is for replacements only, and beside data: that payload is an envelope in any case.
        let statesMode = generator.chance(mode == .insert ? 0.2 : 0.7)
        return Message(
            edit: edit, topic: "\(root)/\(edit.series)", payload: Payload.mqtt(edit, statesMode: statesMode),
            property: statesMode || mode == .insert ? nil : mode)
    }

    /// How many of the messages sent last are sent again after a message; mostly none.
    mutating func repetition(of sent: Int) -> Int {
        generator.chance(0.01) ? generator.int(0...min(sent, 20)) : 0
    }
}
