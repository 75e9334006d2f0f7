import Testing

@testable import Simulation

/// A fleet in which much happens.
func busyFleet(seed: UInt64 = 7) -> Fleet {
    var fleet = Fleet(seed: seed, start: 1_700_000_000_000_000)
    fleet.gateways = 3
    fleet.nodesPerGateway = 2
    fleet.tags = 2
    fleet.rate = 120
    fleet.late = 0.2
    fleet.duplicates = 0.2
    fleet.corrections = 0.3
    fleet.backfill = 8 * 86_400
    fleet.backfillGateways = 0.4
    return fleet
}

extension Itinerary {
    mutating func next(_ count: Int) -> [Message] { (0..<count).compactMap { _ in next() } }
}

@Suite struct PlanTests {
    @Test("the same fleet sends the same, byte by byte; another seed something else")
    func deterministic() throws {
        func text(_ seed: UInt64) throws -> [[UInt8]] {
            let plan = Plan(busyFleet(seed: seed))
            var writer = MessageText(plan, topic: try TopicForm("nodes/{node}/{tag}"))
            var itinerary = Itinerary(plan, gateway: 1)
            return itinerary.next(500).map { message in
                var bytes: [UInt8] = []
                writer.topic(of: message, 1, to: &bytes)
                writer.payload(of: message, 1, to: &bytes)
                return bytes
            }
        }
        #expect(try text(1) == text(1))
        #expect(try text(1) != text(2))
    }

    @Test(
        "each reading of a series is later than the one before, and all of a run end in the same microseconds",
        arguments: [0.1, 100, 1e6, nil] as [Double?], [1, 7, 1000])
    func times(rate: Double?, pointsPerMessage: Int) {
        var fleet = busyFleet()
        fleet.rate = rate
        fleet.pointsPerMessage = pointsPerMessage
        fleet.jitter = 0.9
        let plan = Plan(fleet)
        for series in 0..<plan.series {
            let seed = plan.seed(0, series)
            let times =
                (0..<plan.backfillPoints).map(plan.backfillTime) + (0..<1000).map { plan.time(0, series, seed, $0) }
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
            #expect(times.allSatisfy { $0 % 1000 == plan.residue })
        }
    }

    @Test("a block is due at the time of its last reading, and the fleet sends at its rate")
    func pace() {
        var fleet = busyFleet()
        fleet.jitter = 0
        fleet.pointsPerMessage = 5
        let plan = Plan(fleet)
        for position in [0, 1, 7, 4000] {
            let (round, series) = position.quotientAndRemainder(dividingBy: plan.series)
            let last = plan.time(2, series, plan.seed(2, series), round * 5 + 4)
            let due = fleet.start + Int64(plan.due(2, position, from: 0, speed: plan.speed ?? 0) * 1e6)
            #expect(abs(last - due) <= 1000)
        }
        #expect(plan.due(2, 100_000, from: 0, speed: plan.speed ?? 0).rounded() == 12_500)
    }

    @Test("every block is sent once, and its late, repeated and corrected ones as often as the shares say")
    func shares() {
        let plan = Plan(busyFleet())
        var itinerary = Itinerary(plan, gateway: 0)
        let messages = itinerary.next(20_000)
        #expect(zip(messages, messages.dropFirst()).allSatisfy { $0.key < $1.key })
        func slot(_ message: Message) -> UInt64 { message.key.rawValue & 7 }
        func count(_ slots: Message.Slot...) -> Double {
            Double(messages.count { message in slots.contains { UInt64($0.rawValue) == slot(message) } })
        }
        let originals = messages.filter { slot($0) <= 1 }
        let blocks = Set(originals.map { [$0.series, $0.first] })
        #expect(blocks.count == originals.count)
        let all = Double(originals.count)
        #expect(abs(count(.late) / all - 0.2) < 0.02)
        #expect(abs(count(.duplicate, .lateDuplicate) / all - 0.2) < 0.02)
        #expect(abs(count(.correction) / all - 0.3) < 0.02)
        #expect(abs(count(.secondCorrection) / all - 0.15) < 0.02)
        // 1152 old points of each of the four series.
        #expect(messages.filter(\.isOld).reduce(0) { $0 + $1.count } == 4 * 1152)
        var other = Itinerary(plan, gateway: 1)
        #expect(other.next(1000).allSatisfy { !$0.isOld })
    }

    @Test("a plan with a number of points ends after them")
    func ends() {
        var fleet = busyFleet()
        (fleet.late, fleet.duplicates, fleet.corrections, fleet.backfill) = (0, 0, 0, 0)
        fleet.pointsPerMessage = 2
        fleet.pointLimit = 1000
        var itinerary = Itinerary(Plan(fleet), gateway: 0)
        // In each position of three gateways there are six.
        #expect(itinerary.next(10_000).count == 167)
        #expect(itinerary.isAtEnd)
    }

    @Test("messages are written in the forms that Windrow takes")
    func forms() throws {
        var fleet = Fleet(seed: 1, start: 1_700_000_000_000_000)
        fleet.tags = 3
        let plan = Plan(fleet)
        var writer = MessageText(plan, topic: try TopicForm("a/{tag}/b/{node}"))
        var message = Message(key: .init(0, .block), series: 4, first: 0, count: 1, version: 0)
        func written(_ write: (inout [UInt8]) -> Void) -> String {
            var bytes: [UInt8] = []
            write(&bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(written { writer.topic(of: message, 2, to: &$0) } == "a/sim2/b/1000021")
        let point = /\{"v":\d+\.\d\d,"ts":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"\}/
        #expect(written { writer.payload(of: message, 2, to: &$0) }.wholeMatch(of: point) != nil)
        message.count = 2
        #expect(written { writer.payload(of: message, 2, to: &$0) }.matches(of: point).count == 2)
        #expect(
            written { writer.element(of: message, 2, to: &$0) }.hasPrefix(
                #"{"node_id":1000021,"tag":"sim2","data":[{"v""#))
        message.version = 1
        #expect(
            written { writer.payload(of: message, 2, to: &$0) }.hasPrefix(
                #"{"overwrite":"update_window","data":[{"v":10"#))
    }

    @Test(
        "a topic names node and tag",
        arguments: ["nodes/{node}", "{tag}", "a{node}/{tag}", "{node}/{node}/{tag}", "+/{node}/{tag}"])
    func badTopics(_ text: String) {
        #expect(throws: FleetError.self) { try TopicForm(text) }
    }

    @Test("times are written and read as RFC 3339 has them")
    func dates() {
        for (microseconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"), (951_782_399_999_999, "2000-02-28T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_767_225_600_000_007, "2026-01-01T00:00:00.000007Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] as [(Int64, String)] {
            #expect(DateText.string(microseconds) == text)
            #expect(StoredText.microseconds(Array(text.utf8)[...]) == microseconds)
        }
        var stored = StoredText(
            #"{"data":[{"v":60.5,"ts":"2000-02-29T00:00:00.5Z"},{"v":-1e-3,"ts":"2000-02-29T00:00:00Z"}]}"#.utf8)
        let first = stored.next()
        #expect(first?.time == 951_782_400_500_000 && first?.value == 60.5)
        let second = stored.next()
        #expect(second?.time == 951_782_400_000_000 && second?.value == -0.001)
        #expect(stored.next() == nil)
    }

    @Test(
        "a fleet that makes no sense is refused",
        arguments: [
            { $0.gateways = 0 }, { $0.tags = 1001 }, { $0.firstNode = 0 }, { $0.firstNode = .max }, { $0.rate = 0 },
            { $0.late = 1.1 }, { $0.jitter = 1 }, { $0.pointLimit = 0 }, { $0.pointsPerMessage = 0 },
        ] as [@Sendable (inout Fleet) -> Void])
    func refused(_ change: @Sendable (inout Fleet) -> Void) {
        var fleet = busyFleet()
        #expect(throws: Never.self) { try fleet.validate() }
        change(&fleet)
        #expect(throws: FleetError.self) { try fleet.validate() }
    }
}
