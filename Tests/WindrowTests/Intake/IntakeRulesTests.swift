import Testing

@testable import Windrow

@Suite struct IntakeRulesTests {
    /// The stream of each topic of a domain whose session subscribes to these.
    private func streams(_ topics: [String], _ numbers: inout IntakeRules.StreamNumbers) throws -> [String: Int32] {
        let broker = Configuration.Broker(
            address: .init(host: "h"), clientID: "c",
            subscriptions: try topics.map { .init(topic: try TopicTemplate($0), overwrite: .replaceWindow) })
        let domain = Configuration.Domain(name: "d", postgres: Secret(""), brokers: [broker])
        let decoder = IntakeRules(domain, &numbers).decoder(forSession: BrokerConnection.name(of: broker))
        return Dictionary(
            uniqueKeysWithValues: decoder.subscriptions.map { ($0.template.text, $0.stream?.stream ?? -1) })
    }

    @Test("a topic keeps its stream over reloads, and no other topic ever gets it: windows that are open stay its own")
    func numbers() throws {
        var numbers = IntakeRules.StreamNumbers()
        let (a, b, c) = ("a/{node}/{tag}", "b/{node}/{tag}", "c/{node}/{tag}")
        let first = try streams([a, b], &numbers)
        let second = try streams([c, b], &numbers)
        let third = try streams([a, c, b], &numbers)
        #expect(first[b] == second[b] && second[b] == third[b])
        #expect(first[a] == third[a] && second[c] == third[c])
        #expect(Set(third.values).count == 3)
        #expect(!third.values.contains(0), "that is the one of late messages")
    }
}
