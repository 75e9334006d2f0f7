import Testing

@testable import Windrow

@Suite struct TakeoversTests {
    private let start = ContinuousClock.now

    @Test(
        "a session that is taken over again and again is left for longer each time, up to a minute, and told every ten minutes"
    )
    func fight() throws {
        var takeovers = Takeovers()
        var now = start
        var pauses: [Duration] = []
        var told: [Duration] = []
        for _ in 0..<40 {
            let ended = takeovers.ended(.takenOver, hasRival: false, at: now)
            let verdict = try #require(ended)
            pauses.append(verdict.pause)
            if verdict.isTold { told.append(now - start) }
            now += verdict.pause
        }
        #expect(pauses[0] >= .seconds(2.5) && pauses.allSatisfy { $0 <= .seconds(60) })
        #expect(pauses[10...].allSatisfy { $0 >= .seconds(30) })
        #expect(told.first == .zero && told.count >= 2)
        #expect(zip(told, told.dropFirst()).allSatisfy { $1 - $0 >= .seconds(600) })
    }

    @Test("a broker that closes without a word is suspected after three short connections in a row, and from then on")
    func silent() throws {
        var takeovers = Takeovers()
        func close(_ seconds: Int, after lasted: Duration) -> Takeovers.Verdict? {
            takeovers.ended(.closed(after: lasted), hasRival: false, at: start + .seconds(seconds))
        }
        #expect(close(0, after: .seconds(1)) == nil)
        #expect(close(1, after: .seconds(1)) == nil)
        do {
            let ended = takeovers.ended(.other, hasRival: false, at: start + .seconds(2))
            #expect(ended == nil)
        }
        #expect(close(3, after: .seconds(1)) == nil)
        #expect(close(4, after: .seconds(1)) == nil)
        let ended = close(5, after: .seconds(1))
        let verdict = try #require(ended)
        #expect(!verdict.isCertain && verdict.isTold)
        // The other one has waited meanwhile.
        #expect(close(65, after: .seconds(60)) != nil)
        // Whatever that was is over.
        #expect(close(700, after: .seconds(600)) == nil)
    }

    @Test("where another daemon is known to use the client id, a connection that is closed was taken over")
    func rival() throws {
        var takeovers = Takeovers()
        let ended = takeovers.ended(.closed(after: .seconds(100)), hasRival: true, at: start)
        let verdict = try #require(ended)
        #expect(verdict.isCertain && verdict.isTold)
        do {
            let ended = takeovers.ended(.other, hasRival: true, at: start)
            #expect(ended == nil)
        }
    }

    @Test("once nobody has taken it for ten minutes, it begins anew")
    func calm() throws {
        var takeovers = Takeovers()
        for second in 0..<10 {
            _ = takeovers.ended(.takenOver, hasRival: false, at: start + .seconds(second))
        }
        let ended = takeovers.ended(.takenOver, hasRival: false, at: start + .seconds(700))
        let verdict = try #require(ended)
        #expect(verdict.pause <= .seconds(5) && verdict.isTold)
    }
}
