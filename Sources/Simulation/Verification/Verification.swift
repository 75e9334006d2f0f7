/// Compares what was acknowledged with what is stored, and waits for what is on its way.
struct Verification {
    let plan: Plan
    /// By gateway.
    let ledgers: [Ledger]
    let store: any PointStore
    /// How long it goes on without anything becoming better.
    let patience: Duration

    struct Progress {
        var gateways: Int
        var result: Comparison
        /// Of the gateway that is being waited for.
        var outstanding: Int
    }

    /// - Parameter progress: told now and then; answers whether to go on.
    /// - Returns: nil if it was not to go on.
    func run(_ progress: (Progress) -> Bool) throws(SimulationError) -> Comparison? {
        var total = Comparison()
        var deadline = ContinuousClock.now + patience
        for (gateway, ledger) in ledgers.enumerated() {
            var fewest = Int.max
            while true {
                let result = try store.compare(plan, gateway: gateway, ledger: ledger)
                // What is unexpected stays so.
                let outstanding = result.missing + result.wrong
                if outstanding < fewest {
                    fewest = outstanding
                    deadline = max(deadline, .now + patience)
                }
                guard outstanding > 0, ContinuousClock.now < deadline else {
                    total += result
                    break
                }
                guard progress(Progress(gateways: gateway, result: total, outstanding: outstanding)) else { return nil }
                pause(milliseconds: 250)
            }
            guard progress(Progress(gateways: gateway + 1, result: total, outstanding: 0)) else { return nil }
        }
        return total
    }
}
