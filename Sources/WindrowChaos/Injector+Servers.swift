import Foundation
import LibPQ
import WindrowTestSupport

// Faults of PostgreSQL, of the broker, and of the network between them and the daemon.

extension Injector {
    func postgresKill(_ generator: inout Generator) throws -> String {
        let outage = generator.seconds(stage.timing.outage)
        try stage.cluster.primary.stop(.postgres, kill: true)
        try stage.wait(outage)
        try stage.cluster.primary.start(.postgres)
        return "SIGKILL, away for \(Self.text(outage))"
    }

    func terminate(_ generator: inout Generator) throws -> String {
        let admin = try stage.cluster.connection(user: "postgres")
        let length = generator.seconds(stage.timing.outage)
        let end = ContinuousClock.now + length
        var count: Int64 = 0
        while ContinuousClock.now < end {
            try stage.wait(generator.seconds(0.002...0.25))
            count += try admin.execute(
                """
                SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename = 'windrow' AND application_name <> $1) AS ended
                """, [.text(Cluster.applicationName)]
            ).int64(0, 0)
        }
        return "\(count) sessions in \(Self.text(length))"
    }

    func postgresPause(_ generator: inout Generator) throws -> String {
        let length = generator.seconds(stage.timing.postgresPause)
        var stopped: Set<Int32> = []
        // Whatever happens, no server stays stopped.
        defer { for pid in stopped { Glibc.kill(pid, SIGCONT) } }
        // The first to be found is not the only one to make others, so until there are no new ones.
        while case let fresh = Set(stage.cluster.postgresProcesses()).subtracting(stopped), !fresh.isEmpty {
            for pid in fresh { Glibc.kill(pid, SIGSTOP) }
            stopped.formUnion(fresh)
        }
        try stage.wait(length)
        return "SIGSTOP of \(stopped.count) processes for \(Self.text(length))"
    }

    func failover(_ generator: inout Generator) throws -> String {
        let outage = generator.seconds(stage.timing.outage)
        try stage.cluster.killPrimary()
        try stage.wait(outage)
        try stage.cluster.promote()
        return "SIGKILL of the primary, standby promoted after \(Self.text(outage))"
    }

    func failoverLagging(_ generator: inout Generator) throws -> String {
        let (lag, outage) = (generator.seconds(stage.timing.outage), generator.seconds(0...1))
        try stage.cluster.holdBackStandby()
        try stage.wait(lag)
        try stage.cluster.killPrimary()
        try stage.wait(outage)
        try stage.cluster.promote()
        return "standby held back for \(Self.text(lag)), SIGKILL of the primary, promoted after \(Self.text(outage))"
    }

    func lock(_ generator: inout Generator) throws -> String {
        let length = generator.seconds(stage.timing.lock)
        let connection = try stage.cluster.connection()
        try connection.script("BEGIN; LOCK TABLE windrow.point IN ACCESS EXCLUSIVE MODE")
        try stage.wait(length)
        try connection.script("ROLLBACK")
        return "locked for \(Self.text(length))"
    }

    func writer(_ generator: inout Generator) throws -> String {
        let connection = try stage.cluster.connection()
        let length = generator.seconds(stage.timing.outage)
        let end = ContinuousClock.now + length
        var count = 0
        while ContinuousClock.now < end {
            try stage.otherWriter.write(connection, &generator)
            count += 1
            try stage.wait(generator.seconds(0...0.05))
        }
        return "\(count) transactions in \(Self.text(length))"
    }

    func brokerRestart(_ generator: inout Generator) throws -> String {
        let outage = generator.seconds(stage.timing.outage)
        stage.course.hasForgottenShares.store(true, ordering: .releasing)
        try stage.cluster.home.stop(.mosquitto)
        try stage.wait(outage)
        try stage.cluster.home.start(.mosquitto)
        return "SIGTERM, away for \(Self.text(outage))"
    }

    func brokerPause(_ generator: inout Generator) throws -> String {
        guard let pid = stage.cluster.home.mosquittoPID else { throw FixtureError("the broker does not run") }
        let length = generator.seconds(stage.timing.outage)
        Glibc.kill(pid, SIGSTOP)
        defer { Glibc.kill(pid, SIGCONT) }
        try stage.wait(length)
        return "SIGSTOP for \(Self.text(length))"
    }

    func network(
        _ mode: Proxy.Mode, postgres: Bool = false, broker: Bool = false, _ generator: inout Generator
    ) throws -> String {
        let length = generator.seconds(stage.timing.outage)
        if postgres { stage.cluster.setPostgres(mode) }
        if broker { stage.cluster.brokerProxy.set(mode) }
        defer {
            stage.cluster.setPostgres(.pass)
            stage.cluster.brokerProxy.set(.pass)
        }
        try stage.wait(length)
        switch mode {
        case .delay(let milliseconds): return "\(milliseconds) ms each way for \(Self.text(length))"
        case .cut: return "refused for \(Self.text(length))"
        default: return "silent for \(Self.text(length))"
        }
    }
}
