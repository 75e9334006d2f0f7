import ArgumentParser
import Foundation
import Windrow

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a domain's points as CSV or NDJSON, which `windrow import` reads back.",
        discussion: """
            The points are those of one moment, ordered by node, tag and time. Values are written so that reading them gives the same \
            number to the last bit, timestamps to the microsecond. Points that another writer has stored as NaN or infinite are left out, \
            and so are timestamps outside the years 0 to 9999; of the former it tells how many.

            A file appears under its name when it is complete. It is deflated if the name ends with .gz. If PostgreSQL goes away or fails over \
            meanwhile, the file is begun anew; what stands on standard output cannot be.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "The domain, if the configuration has several.")
    var domain: String?

    @Option(help: "Only this node, by number or UUID; may be given more than once.", transform: nodeName)
    var node: [NodeName] = []

    @Option(help: "Only this tag, in which * stands for any characters; may be given more than once.")
    var tag: [String] = []

    @Option(help: "Only points from this moment on (RFC 3339).", transform: timestamp)
    var start: Timestamp?

    @Option(help: "Only points before this moment (RFC 3339).", transform: timestamp)
    var end: Timestamp?

    @Option(help: "csv or ndjson.")
    var format = ImportOptions.Format.csv

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to; standard output if not given.", valueName: "file"))
    var output: String?

    @Flag(help: "Replace a file that is there.")
    var force = false

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    func run() throws {
        let domain = try options.load(withIntake: false).domain(named: domain, in: options.config)
        Interrupt.install()
        // A reader that goes away is told by the write.
        signal(SIGPIPE, SIG_IGN)
        let progress = ProgressLine(output ?? "", isQuiet: quiet || output == nil)
        var selection = ExportSelection()
        (selection.nodes, selection.tags, selection.start, selection.end) = (node, tag, start, end)
        let started = ContinuousClock.now
        var isAway = false
        let done = try describingErrors(of: domain.name) {
            defer { progress.clear() }
            do {
                return try Export(
                    of: domain, selection, as: format,
                    report: { progress.show(share: $0.share, points: $0.points) },
                    waits: { error in
                        progress.clear()
                        if !isAway { printError("\(error); trying again for \(Export.patienceText)") }
                        isAway = true
                    },
                    beginsAnew: {
                        printError(
                            "PostgreSQL is back, and what was read of it is of a moment that is gone: the export begins anew"
                        )
                        isAway = false
                    },
                    isInterrupted: { Interrupt.isReceived }
                ).run(to: output, replaces: force)
            } catch is OutputClosed {
                throw ExitCode.success
            }
        }
        guard let done else {
            if let output { printError("interrupted; \(output) is not written") }
            throw ExitCode(Interrupt.exitCode)
        }
        if let output, !quiet {
            let seconds = (ContinuousClock.now - started) / .seconds(1)
            printError(
                "\(output): \(counted(done.points, "point")) of \(counted(done.series, "series")) "
                    + "(\(grouped(Int(Double(done.points) / max(seconds, 0.001))))/s)")
        }
        if done.leftOut > 0 {
            printError("\(counted(done.leftOut, "point")) left out, which another writer has stored as NaN or infinite")
            throw ExitCode(EX_DATAERR)
        }
    }

    private static func timestamp(_ text: String) throws -> Timestamp {
        guard let timestamp = Timestamp(rfc3339: text) else {
            throw ValidationError("expected an RFC 3339 timestamp such as 2023-01-01T12:00:00Z, found \(text)")
        }
        return timestamp
    }
}
