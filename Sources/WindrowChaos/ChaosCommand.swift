import ArgumentParser
import Foundation
import WindrowTestSupport

@main
struct ChaosCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windrow-chaos",
        abstract: "Proves by fault injection that Windrow loses nothing that it acknowledged.",
        discussion: """
            Gateways and HTTP clients send, servers and the daemon fail, one after the other, and in the end all that was \
            acknowledged is compared with what PostgreSQL has. Exit code 1 if anything is lost, doubled or wrong, or if the \
            daemon does not recover.
            """)

    @Option(help: "Whatever is random follows from it. Another one each time when not given.")
    var seed: UInt64?

    @Option(help: "How long faults are injected.")
    var minutes = 5.0

    @Option(help: "Faults, separated by commas; all but damage-pending when not given. \"list\" lists them.")
    var faults: String?

    @Flag(help: "List the faults.")
    var list = false

    @Option(
        help:
            "Daemons at one broker and one database: with 2, a part of what is sent goes through a shared subscription."
    )
    var daemons = 1

    @Option(help: "The daemon; the one that was built beside this program when not given.")
    var windrow: String?

    @Flag(help: "Keep the folders of servers and daemon, with their logs. After a failure they are kept in any case.")
    var keep = false

    func validate() throws {
        guard minutes > 0, minutes <= 10_000 else { throw ValidationError("--minutes is a number above 0") }
        guard 1...4 ~= daemons else { throw ValidationError("--daemons is 1 to 4") }
        // Whose loss it was could not be told.
        guard try daemons == 1 || !chosen().contains(.damagePending) else {
            throw ValidationError("damage-pending goes with one daemon")
        }
    }

    func run() throws {
        if list || faults == "list" {
            print(FaultKind.list)
            return
        }
        Interruption.watch()
        let seed = seed ?? UInt64.random(in: 0..<1_000_000_000)
        print(
            "windrow-chaos --seed \(seed) --minutes \(minutes)" + (faults.map { " --faults \($0)" } ?? "")
                + (daemons > 1 ? " --daemons \(daemons)" : ""))
        let (kinds, leftOut) = possible(try chosen())
        let run = try Run(
            seed: seed, minutes: minutes, kinds: kinds, leftOut: leftOut, daemons: daemons, program: windrow)
        var isKept = keep
        do {
            let isClean = try run.run()
            isKept = isKept || !isClean
            keepFolders(of: run, isKept)
            if !isClean { throw ExitCode(1) }
        } catch is Interruption.Interrupted {
            keepFolders(of: run, isKept)
            print("interrupted")
            throw ExitCode(130)
        } catch  where !(error is ExitCode) {
            keepFolders(of: run, true)
            print("FAILED, seed \(seed): \(error)")
            throw ExitCode(1)
        }
    }

    private func chosen() throws -> [FaultKind] {
        guard let faults, faults != "list" else { return FaultKind.usual }
        return try faults.split(separator: ",").map { name in
            guard let kind = FaultKind(rawValue: String(name)) else {
                throw ValidationError("there is no fault \"\(name)\"; these there are:\n\(FaultKind.list)")
            }
            return kind
        }
    }

    /// Those of the chosen faults that this machine allows.
    private func possible(_ chosen: [FaultKind]) -> (kinds: [FaultKind], leftOut: [(FaultKind, String)]) {
        var leftOut: [(FaultKind, String)] = []
        if geteuid() != 0 { leftOut.append((.diskFull, "only root can make a small disk")) }
        if !FileManager.default.fileExists(atPath: Injector.fakeTime) {
            leftOut.append((.clock, "there is no libfaketime"))
        }
        if Sanitizer.isOn { leftOut.append((.clock, "libfaketime and a sanitizer do not go together")) }
        if daemons == 1 { leftOut.append((.absence, "it takes --daemons 2")) }
        leftOut.removeAll { !chosen.contains($0.0) }
        return (chosen.filter { kind in !leftOut.contains { $0.0 == kind } }, leftOut)
    }

    private func keepFolders(of run: Run, _ isKept: Bool) {
        guard isKept else { return }
        run.stage.cluster.keepFolders()
        for subject in run.stage.subjects { subject.process.keep() }
        print("kept: \((run.stage.subjects.map(\.process.path) + run.stage.cluster.folders).joined(separator: " "))")
    }
}
