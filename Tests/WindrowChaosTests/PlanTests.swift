import Testing

@testable import WindrowChaos

@Suite struct PlanTests {
    @Test("a client's plan follows from the seed alone")
    func plans() {
        func payloads(seed: UInt64, client: Int) -> [String] {
            var plan = GatewayPlan(seed: seed, client: client, nodes: [.id(1), .id(2)], tags: 2)
            return (0..<200).map { _ in plan.next().payload }
        }
        #expect(payloads(seed: 1, client: 1) == payloads(seed: 1, client: 1))
        #expect(payloads(seed: 1, client: 1) != payloads(seed: 1, client: 2))
        #expect(payloads(seed: 1, client: 1) != payloads(seed: 2, client: 1))
    }

    @Test("each fault comes once before any comes again")
    func rounds() {
        var plan = InjectionPlan(seed: 7, kinds: FaultKind.usual, timing: .short)
        for _ in 0..<3 {
            let round = FaultKind.usual.compactMap { _ in plan.next()?.kind }
            #expect(Set(round) == Set(FaultKind.usual))
        }
    }

    @Test("times are written in RFC 3339")
    func timestamps() {
        #expect(Timestamp.text(Timestamp.start) == "2023-01-01T00:00:00Z")
        #expect(Timestamp.text(1_709_251_199_000_001) == "2024-02-29T23:59:59.000001Z")
        #expect(Timestamp.text(Timestamp.poisoned - 1) == "2009-12-31T23:59:59.999999Z")
    }

    @Test("the table has a line for each fault that was injected, for calm times, and the sum")
    func report() {
        var report = Report()
        report.injected = [
            Report.Injected(kind: .kill, recovery: .seconds(1)), Report.Injected(kind: .kill, recovery: .seconds(3)),
            Report.Injected(kind: .lock, recovery: nil),
        ]
        report.tallies = [0: Tally(stored: 1000), 1: Tally(stored: 10), 2: Tally(lost: 2), 3: Tally(wrong: 1)]
        report.acknowledged = [0: 1200, 2: 5]
        report.leftOut = [(.diskFull, "only root")]
        #expect(
            report.table == """
                | fault     | times | acknowledged | stored | lost | wrong | doubled | longest recovery |
                |-----------|-------|--------------|--------|------|-------|---------|------------------|
                | kill      |     2 |            5 |     10 |    2 |     0 |       0 |            3.0 s |
                | disk-full |     0 |              |        |      |       |         | left out: only root |
                | lock      |     1 |            0 |      0 |    0 |     1 |       0 |      1 times not |
                | (none)    |       |        1,200 |  1,000 |    0 |     0 |       0 |                  |
                | total     |     3 |        1,205 |  1,010 |    2 |     1 |       0 |      1 times not |
                """)
    }
}
