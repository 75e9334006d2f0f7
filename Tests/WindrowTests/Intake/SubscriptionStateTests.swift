import Logging
import MQTT
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct SubscriptionStateTests {
    private let folder: TemporaryFolder
    private let journal: Journal

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal(
            folder: folder.path, bounds: Journal.Bounds(maxSize: 64 << 20, maxDeadLetters: 1 << 20),
            log: Logger(label: "test"))
    }

    private func state(_ filters: String...) -> SubscriptionState {
        SubscriptionState(filters: filters, journal: journal, session: "s")
    }

    @Test("a refused subscription is told once, is not working, and is asked for again only after the answer has aged")
    func refused() {
        var state = state("a/+/+", "b/+/+")
        state.requested(MessageID(rawValue: 1))
        #expect(state.health == .failing("connecting"))
        let answer = [SubscriptionResult.granted(qos: 1), .refused(.notAuthorized)]
        #expect(state.answered(MessageID(rawValue: 1), answer).map(\.filter) == ["b/+/+"])
        guard case .failing(let message) = state.health else {
            Issue.record("a refused subscription counts as working")
            return
        }
        #expect(message.contains("b/+/+"))
        #expect(state.refusedSince != nil)

        // Asked again: no further request until this one is answered.
        state.requested(MessageID(rawValue: 2))
        #expect(state.refusedSince == nil)
        #expect(state.answered(MessageID(rawValue: 1), answer).isEmpty, "an answer to an older request")
        #expect(state.refusedSince == nil)
        #expect(state.answered(MessageID(rawValue: 2), answer).isEmpty, "known already")
        #expect(state.refusedSince != nil)

        state.requested(MessageID(rawValue: 3))
        #expect(state.answered(MessageID(rawValue: 3), [.granted(qos: 1), .granted(qos: 1)]).isEmpty)
        #expect(state.health == .working)
    }

    @Test("what the configuration dropped is known until the broker has confirmed that it is unsubscribed")
    func dropped() throws {
        #expect(try state("a", "b").dropped().isEmpty)
        var later = state("b", "c")
        #expect(try later.dropped() == ["a"])
        #expect(try journal.subscriptions(of: "s") == ["a", "b", "c"], "a crash now must forget none")
        later.requested(MessageID(rawValue: 1))
        later.requestedUnsubscribe(MessageID(rawValue: 2))
        _ = later.answered(MessageID(rawValue: 1), [.granted(qos: 1), .granted(qos: 1)])
        try later.forgetDropped()
        #expect(try state("b", "c").dropped() == ["a"])
        let (other, last) = (later.unsubscribed(MessageID(rawValue: 9)), later.unsubscribed(MessageID(rawValue: 2)))
        #expect(!other && last)
        try later.forgetDropped()
        #expect(try state("b", "c").dropped().isEmpty)
    }
}
