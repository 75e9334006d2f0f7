import Foundation
import Testing

@testable import Windrow

@Suite struct PresenceTests {
    @Test("what connections say at the same moment is seen, and then is no news any more")
    func changes() {
        for round in 0..<5000 {
            let presence = Presence(handoff: Handoff(last: .start, byteLimit: 0))
            #expect(presence.isChanged(since: 0))
            DispatchQueue.concurrentPerform(iterations: 4) { presence.joined(["group"], session: "\($0)") }
            let seen = presence.orders
            #expect(seen.groups.count == 4)
            guard !presence.isChanged(since: seen.version) else {
                Issue.record("round \(round): still news after a look")
                return
            }
        }
    }
}
