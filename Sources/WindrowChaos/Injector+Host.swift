import Foundation
import LibPQ
import WindrowTestSupport

// Faults of the machine under the daemon: its disk, its clock, its limits.

extension Injector {
    func diskFull(_ generator: inout Generator) throws -> String {
        guard let disk = stage.disk else { throw FixtureError("only root can make a small disk") }
        let length = generator.seconds(stage.timing.outage)
        // With PostgreSQL away too, nothing makes room in the journal.
        let isCut = generator.chance(0.5)
        defer {
            disk.clear()
            stage.cluster.setPostgres(.pass)
        }
        if isCut { stage.cluster.setPostgres(.cut) }
        let end = ContinuousClock.now + length
        while ContinuousClock.now < end {
            // Again and again: what the daemon gives back is taken too.
            disk.fill()
            try stage.wait(.milliseconds(50))
        }
        return "full for \(Self.text(length))" + (isCut ? ", PostgreSQL cut off" : "")
    }

    /// Where Debian's package `faketime` has its library for programs with threads.
    static let fakeTime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

    func clock(_ generator: inout Generator) throws -> String {
        let folder = try TemporaryFolder("windrow-chaos-clock")
        var jumps = ["+0h"]
        try folder.write(jumps[0], to: "clock")
        try stage.subject.stop()
        let environment = [
            "LD_PRELOAD": Self.fakeTime, "FAKETIME_TIMESTAMP_FILE": folder.path + "/clock", "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ]
        // In the first process that it comes into, the library moves the environment, where Swift looks for the arguments.
        try stage.subject.start(environment: environment, wrapper: "env")
        try stage.waitUntil("the daemon is ready with a clock of its own", timeout: Stage.patience) {
            try stage.subject.process.get("/readyz").status == 200
        }
        for _ in 0..<generator.int(2...5) {
            let hours = generator.int(1...36)
            jumps.append((generator.chance(0.5) ? "+" : "-") + "\(hours)h")
            try folder.write(jumps[jumps.count - 1], to: "clock")
            try stage.wait(generator.seconds(0.2...1))
        }
        stage.clock = folder
        return "wall clock at " + jumps.dropFirst().joined(separator: ", ")
    }

    func descriptors(_ generator: inout Generator) throws -> String {
        guard let pid = stage.subject.process.processID else { throw FixtureError("the daemon does not run") }
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
        let before = try Command.require("prlimit", ["--pid", "\(pid)", "--nofile", "--noheadings", "--output=SOFT"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        stage.subject.lacksDescriptors = true
        defer { stage.subject.lacksDescriptors = false }
        try Command.require("prlimit", ["--pid", "\(pid)", "--nofile=\(open):"])
        let length = generator.seconds(stage.timing.outage)
        // New clients, while the lanes look for connections in the place of those that broke.
        var connections: [LoopbackSocket] = []
        stage.cluster.setPostgres(.cut)
        for _ in 0..<20 {
            if let connection = try? LoopbackSocket(port: stage.subject.process.httpPort) {
                connections.append(connection)
            }
        }
        try stage.wait(length / 2)
        stage.cluster.setPostgres(.pass)
        try stage.wait(length / 2)
        let hasSurvived = stage.subject.process.processID == pid
        if hasSurvived { try Command.require("prlimit", ["--pid", "\(pid)", "--nofile=\(before):"]) }
        let end = hasSurvived ? "" : ", ended by libdispatch and started"
        return "no more than \(open) for \(Self.text(length)), \(connections.count) clients more\(end)"
    }
}
