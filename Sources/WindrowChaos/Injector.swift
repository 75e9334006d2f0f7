import Foundation
import LibPQ
import WindrowTestSupport

/// Injects one fault at a time. Each returns when the fault is over, and answers what it did; recovery is counted from there.
struct Injector {
    let stage: Stage

    func inject(_ injection: InjectionPlan.Injection) throws -> String {
        var generator = injection.generator
        stage.aim(&generator)
        switch injection.kind {
        case .kill: return try kill(&generator)
        case .points: return try points(injection.round, &generator)
        case .stop: return try stop(&generator)
        case .absence: return try absence(&generator)
        case .clock: return try clock(&generator)
        case .descriptors: return try descriptors(&generator)
        case .postgresKill: return try postgresKill(&generator)
        case .terminate: return try terminate(&generator)
        case .postgresPause: return try postgresPause(&generator)
        case .failover: return try failover(&generator)
        case .failoverLagging: return try failoverLagging(&generator)
        case .lock: return try lock(&generator)
        case .writer: return try writer(&generator)
        case .brokerRestart: return try brokerRestart(&generator)
        case .brokerPause: return try brokerPause(&generator)
        case .postgresCut: return try network(.cut, postgres: true, &generator)
        case .brokerCut: return try network(.cut, broker: true, &generator)
        case .postgresStall: return try network(.stall, postgres: true, &generator)
        case .brokerStall: return try network(.stall, broker: true, &generator)
        case .networkDelay:
            return try network(.delay(milliseconds: generator.int(50...500)), postgres: true, broker: true, &generator)
        case .diskFull: return try diskFull(&generator)
        case .damage: return try damage(&generator)
        case .damagePending: return try damagePending(&generator)
        }
    }

    /// What the fault leaves to be put in order, once the daemon has recovered.
    func tidy(_ kind: FaultKind) throws {
        if kind == .failover || kind == .failoverLagging { try stage.cluster.rebuildStandby() }
        // Back to a plain environment: no clock of its own.
        if kind == .clock { try restart() }
    }

    /// SIGTERM and a plain start.
    func restart() throws {
        try stage.subject.stop()
        try stage.subject.start()
    }

    /// `1.3 s`
    static func text(_ duration: Duration) -> String {
        String(format: "%.1f s", duration / .seconds(1))
    }
}

// MARK: - The daemon's process

extension Injector {
    private func kill(_ generator: inout Generator) throws -> String {
        try stage.subject.kill()
        let pause = generator.seconds(0...0.5)
        try stage.wait(pause)
        try stage.subject.start()
        return "SIGKILL, started after \(Self.text(pause))"
    }

    private func stop(_ generator: inout Generator) throws -> String {
        let start = ContinuousClock.now
        try stage.subject.stop()
        let took = ContinuousClock.now - start
        try stage.wait(generator.seconds(0...0.5))
        try stage.subject.start()
        return "SIGTERM, ended after \(Self.text(took)), started"
    }

    private func absence(_ generator: inout Generator) throws -> String {
        try stage.subject.kill()
        // Others miss it for ten seconds, and look every five.
        let pause = generator.seconds(20...30)
        try stage.wait(pause)
        let adopted =
            "took over what the broker kept for a daemon that is gone broker=\"mqtt://127.0.0.1:\(stage.cluster.brokerProxy.port) as \(stage.subject.sharedClientID)\""
        if !stage.subjects.contains(where: { $0.process.log.contains(adopted) }) {
            stage.course.fail("no other daemon took what the broker kept for one that was away for \(Self.text(pause))")
        }
        try stage.subject.start()
        return "SIGKILL, started after \(Self.text(pause))"
    }

    /// The steps between which a debug build of the daemon can be told to kill itself.
    private static let steps = [
        "journal-before-commit", "journal-after-commit", "acks-before", "acks-after", "flush-in-transaction",
        "flush-before-commit", "flush-after-commit", "dead-letters-kept", "trim-after", "answer-before",
    ]

    private func points(_ round: Int, _ generator: inout Generator) throws -> String {
        // Every step in its turn, beginning with any.
        var seeded = Generator(seed: stage.seed, stream: 2000)
        let step = Self.steps[(round + seeded.int(0...Self.steps.count - 1)) % Self.steps.count]
        // The journal is trimmed once a second, and points are refused about as often; all else happens often.
        let isRare = step == "trim-after" || step == "dead-letters-kept"
        let time = generator.int(isRare ? 1...3 : 1...30)
        try stage.subject.kill()
        let start = ContinuousClock.now
        try stage.subject.start(environment: ["WINDROW_FAULT": "\(step):\(time)"])
        let code = stage.subject.waitForDeath(timeout: stage.timing.faultPoint)
        let took = Self.text(.now - start)
        var what = "\(step):\(time), killed itself after \(took)"
        switch code {
        case nil:
            what = "\(step):\(time) was not reached in \(took), killed"
            try stage.subject.kill()
        case 137: break
        case let code?: stage.course.fail("at \(step):\(time) the daemon ended with exit code \(code)")
        }
        try stage.subject.start()
        return what
    }
}
