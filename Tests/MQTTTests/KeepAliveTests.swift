import Testing

@testable import MQTT

@Suite struct KeepAliveTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test("a ping is due before nothing was sent for the interval, and each packet puts it off")
    func due() {
        var state = KeepAlive(seconds: 10, now: start)
        #expect(state.step(at: at(8.9)) == .nothing)
        state.sent(at: at(8))
        state.heard()
        #expect(state.step(at: at(16.9)) == .nothing)
        #expect(state.step(at: at(17)) == .ping)
        // Asked again before it has left: once is enough.
        #expect(state.step(at: at(18)) == .nothing)
        state.sent(at: at(18))
        state.answered()
        #expect(state.step(at: at(26.9)) == .nothing)
        #expect(state.step(at: at(27)) == .ping)
    }

    @Test("without an interval there is neither ping nor end")
    func never() {
        var state = KeepAlive(seconds: 0, now: start)
        #expect(state.step(at: at(1_000_000)) == .nothing)
    }

    @Test("a ping without an answer within the interval is the end, once all that came has been read")
    func silence() {
        var state = KeepAlive(seconds: 10, now: start)
        #expect(state.step(at: at(9)) == .ping)
        state.drained()
        #expect(state.step(at: at(18.9)) == .nothing)
        // The first look only begins to doubt: whoever comes late may have the answer before them, unread.
        #expect(state.step(at: at(100)) == .nothing)
        #expect(state.step(at: at(101)) == .nothing)
        state.drained()
        #expect(state.step(at: at(102)) == .giveUp)
    }

    @Test("whoever was kept from reading for long finds the answer, and goes on")
    func late() {
        var state = KeepAlive(seconds: 10, now: start)
        #expect(state.step(at: at(9)) == .ping)
        #expect(state.step(at: at(100)) == .nothing)
        state.heard()
        state.answered()
        state.drained()
        state.sent(at: at(100))
        #expect(state.step(at: at(101)) == .nothing)
        #expect(state.step(at: at(109)) == .ping)
    }

    @Test("as long as anything comes, the broker lives: the answer may be behind it")
    func busy() {
        var state = KeepAlive(seconds: 10, now: start)
        #expect(state.step(at: at(9)) == .ping)
        for second in stride(from: 15.0, to: 100, by: 5) {
            state.heard()
            state.drained()
            #expect(state.step(at: at(second)) == .nothing)
        }
        state.drained()
        #expect(state.step(at: at(105)) == .nothing)
        state.drained()
        #expect(state.step(at: at(106)) == .giveUp)
    }
}
