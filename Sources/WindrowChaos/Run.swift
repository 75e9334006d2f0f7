import Foundation
import LibPQ
import WindrowTestSupport

/// One run: servers and daemon are started, clients send, faults are injected, and in the end all is compared.
final class Run {
    let seed: UInt64
    private let minutes: Double
    private let timing: Timing
    private let kinds: [FaultKind]
    let stage: Stage
    private let population: Population
    private var report = Report()
    private var failures: [String] = []
    private let start = ContinuousClock.now

    init(
        seed: UInt64, minutes: Double, kinds: [FaultKind], leftOut: [(FaultKind, String)], daemons: Int,
        program: String?
    ) throws {
        self.seed = seed
        self.minutes = minutes
        self.kinds = kinds
        timing = Timing(minutes: minutes)
        stage = try Stage(seed: seed, kinds: kinds, timing: timing, daemons: daemons, program: program)
        population = Population(stage, minutes: minutes)
        stage.clients = population.clients
        report.leftOut = leftOut.map { ($0.0, $0.1) }
    }

    /// - Returns: whether the promise was kept.
    func run() throws -> Bool {
        defer { stage.course.isAborted.store(true, ordering: .releasing) }
        try prepare()
        for client in stage.clients { client.start() }
        do {
            try injectUntil(.now + .seconds(minutes * 60))
            try finish()
        } catch  where !(error is Interruption.Interrupted) {
            failures.append("\(error); what was not written by then counts as lost. Its log:\n\(stage.subject.logEnd)")
        }
        stage.course.isAborted.store(true, ordering: .releasing)
        try stage.waitUntil("the clients leave", timeout: .seconds(200)) { isDone }
        try compare()
        return failures.isEmpty
    }

    /// The schema with its poison, the nodes, and what the stream is going to replace.
    private func prepare() throws {
        for subject in stage.subjects { try subject.start() }
        for subject in stage.subjects { try subject.process.waitUntilReady() }
        try stage.cluster.connection().script(
            "ALTER TABLE windrow.point ADD CONSTRAINT poison CHECK (v <> \(Edit.poisonValue))")
        let first = [Point(microseconds: Timestamp.start, value: 0)]
        try stage.post(
            Population.numberedNodes.map {
                Edit(series: SeriesName(node: .id($0), tag: "first"), mode: .insert, points: first)
            })
        let plan = population.stream.load.plan
        for series in plan.series {
            let old = plan.oldPoints
            for start in stride(from: 0, to: old.count, by: 10_000) {
                try stage.postUnmodelled(
                    Edit(series: series, mode: .insert, points: Array(old[start..<min(start + 10_000, old.count)])))
            }
        }
        say("\(stage.clients.count) clients send; faults for \(Injector.text(.seconds(minutes * 60)))")
    }

    private func injectUntil(_ end: ContinuousClock.Instant) throws {
        var plan = InjectionPlan(seed: seed, kinds: kinds.filter { $0 != .damagePending }, timing: timing)
        while ContinuousClock.now < end, let injection = plan.next() {
            try stage.wait(min(injection.calm, max(.zero, end - .now)))
            if ContinuousClock.now < end { try inject(injection) }
        }
        try stage.wait(max(.zero, end - .now))
        // Whatever it loses, nothing may come after it.
        if kinds.contains(.damagePending) { try inject(plan.last(.damagePending)) }
    }

    private func inject(_ injection: InjectionPlan.Injection) throws {
        let injector = Injector(stage: stage)
        report.injected.append(Report.Injected(kind: injection.kind, recovery: nil))
        let place = report.injected.count - 1
        stage.course.injection.store(place + 1, ordering: .releasing)
        defer { stage.course.injection.store(0, ordering: .releasing) }
        let what = try injector.inject(injection)
        let line = "\(injection.kind.rawValue.padded(to: 15)) \(what.padded(to: 62)) "
        do {
            let recovery = try stage.recover()
            report.injected[place].recovery = recovery
            say("\(line) recovered in \(Injector.text(recovery))")
        } catch let error as FixtureError {
            say("\(line) NOT RECOVERED")
            failures.append("\(injection.kind.rawValue): \(error); the daemon's log:\n\(stage.subject.logEnd)")
            // Perhaps a new start helps; it has failed in any case.
            try injector.restart()
            _ = try stage.recover()
        }
        stage.course.injection.store(0, ordering: .releasing)
        stage.course.hasForgottenShares.store(false, ordering: .releasing)
        try injector.tidy(injection.kind)
    }

    private var isDone: Bool { stage.clients.allSatisfy { $0.counters.isDone.load(ordering: .acquiring) } }

    /// Everything is acknowledged, and stored.
    private func finish() throws {
        stage.course.isEnding.store(true, ordering: .releasing)
        say("the clients finish")
        try stage.waitUntil("the clients have everything acknowledged", timeout: Stage.patience) { isDone }
        try stage.drain()
        say("everything is acknowledged and drained")
    }

    private func compare() throws {
        let excused = report.injected.firstIndex { $0.kind == .damagePending }.map { $0 + 1 }
        var examination = try Examination(try stage.cluster.connection(), excused: excused)
        var model = population.model
        model.formUnion(stage.model)
        let poison = model.poison
        try examination.examine(model)
        try examination.examine(population.stream.load.model, starts: stage.subjects[0].starts)
        try examination.examine(twinModel)
        try examination.examineRest()
        report.tallies = examination.comparison.tallies
        report.acknowledged = population.acknowledged

        let accountings = try stage.subjects.map { Accounting(try $0.process.metrics()) }
        do {
            try stage.keepDeadLetters()
        } catch {
            failures.append("the journal cannot be read: \(error)")
        }
        let letters = DeadLetterCheck(stage.deadLetters, poison: poison, excused: excused)
        if let excused, let tally = report.tallies[excused], !tally.isClean, !letters.isDamageTold {
            failures.append("a damaged journal lost points, and no dead letter tells")
        }
        failures += stage.course.failures.map { $0.count > 1 ? "\($0.what) (\($0.count) times)" : $0.what }
        failures += examination.complaints + letters.complaints + examination.comparison.examples
        for accounting in accountings where !accounting.isClosed {
            failures.append("the accounting does not close: \(accounting.description)")
        }

        print("\n\(report.table)\n")
        for accounting in accountings { print("points        \(accounting.description) (of the last start)") }
        let reasons = letters.reasons.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        print(
            "dead letters  \(reasons.isEmpty ? "none" : reasons.joined(separator: ", ")); \(poison.count) points provoked one"
        )
        for subject in stage.subjects {
            print(
                "daemon        \(subject.starts) starts, at most \(subject.highestMemory >> 20) MiB resident, "
                    + "journal at most \(subject.highestJournal >> 10) KiB")
        }
        if failures.isEmpty {
            let isAccounted = excused.map { !(report.tallies[$0]?.isClean ?? true) } ?? false
            let exception = isAccounted ? " but what the damaged journal's dead letters tell of" : ""
            print("\nNothing lost, doubled or wrong\(exception). Seed \(seed)")
        } else {
            print("\nFAILED, seed \(seed):\n" + failures.map { "- \($0)" }.joined(separator: "\n"))
        }
    }

    /// The twin series, with what the other writer put there beyond the gateway's end.
    private var twinModel: Model {
        var model = population.twin.load.model
        for numbers in stage.otherWriter.written {
            model.apply(
                Edit(series: TwinLoad.series, mode: .insert, points: numbers.map(TwinLoad.point)), injection: 0)
        }
        return model
    }

    private func say(_ what: String) {
        print(String(format: "%7.1f s  ", (ContinuousClock.now - start) / .seconds(1)) + what)
        // A pipe would get it all at the end.
        fflush(nil)
    }
}
