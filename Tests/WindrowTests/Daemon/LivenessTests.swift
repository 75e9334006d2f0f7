import Glibc
import Testing

@testable import Windrow

@Suite struct LivenessTests {
    @Test("work that takes longer than its own limit counts as stuck while it lasts, and no other does")
    func stuck() {
        let liveness = Liveness()
        liveness.working("intake b") {
            liveness.working("lane 0 a", for: .milliseconds(1)) {
                #expect(liveness.stuck.isEmpty || liveness.stuck == ["lane 0 a"])
                usleep(20_000)
                #expect(liveness.stuck == ["lane 0 a"])
            }
            #expect(liveness.stuck.isEmpty)
        }
    }
}
