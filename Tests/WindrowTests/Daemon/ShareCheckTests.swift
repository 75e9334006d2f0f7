import Testing

@testable import Windrow

@Suite struct ShareJudgementTests {
    /// Topics of eight messages each, by the subscribers that get them.
    private func judge(_ subscriber: (_ topic: Int, _ message: Int) -> Int) -> ShareCheck.Outcome {
        var received: [[[UInt8]]] = [[], []]
        for message in 0..<8 {
            for topic in 0..<8 { received[subscriber(topic, message)].append(Array("\(topic)".utf8)) }
        }
        return ShareCheck.judge(received)
    }

    @Test("a topic whose messages all come to one subscriber is kept, whoever has the others")
    func kept() {
        #expect(judge { topic, _ in topic % 2 } == .kept)
        #expect(judge { _, _ in 1 } == .kept)
    }

    @Test("one message that goes to the other subscriber is enough to see that topics are scattered")
    func scattered() {
        #expect(judge { _, message in message % 2 } == .scattered)
        #expect(judge { topic, message in topic == 7 && message == 7 ? 1 : 0 } == .scattered)
    }
}
