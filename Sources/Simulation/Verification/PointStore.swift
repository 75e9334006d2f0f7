/// Where points are stored, as far as a verification asks.
protocol PointStore: AnyObject {
    /// Gives a gateway's stored points, series by series, each in the order of time. A series without any may be left out.
    func read(
        _ plan: Plan, gateway: Int, within range: ClosedRange<Int64>,
        _ body: (_ series: Int, _ time: Int64, _ value: Double) -> Void
    ) throws(SimulationError)
}

extension PointStore {
    /// Compares a gateway's points.
    func compare(_ plan: Plan, gateway: Int, ledger: Ledger) throws(SimulationError) -> Comparison {
        var result = Comparison()
        guard let range = Expectation.range(plan, gateway: gateway, ledger: ledger) else { return result }
        var seen = Set<Int>()
        var current: (series: Int, comparison: SeriesComparison)?
        func finish() {
            guard var comparison = current?.comparison else { return }
            comparison.finish()
            result += comparison.result
            current = nil
        }
        func begin(_ series: Int) {
            finish()
            seen.insert(series)
            current = (series, SeriesComparison(plan, gateway: gateway, series: series, ledger: ledger))
        }
        try read(plan, gateway: gateway, within: range) { series, time, value in
            if current?.series != series { begin(series) }
            current?.comparison.take(time: time, value: value)
        }
        for series in 0..<plan.series where !seen.contains(series) { begin(series) }
        finish()
        return result
    }
}
