import ArgumentParser
import Foundation
import Windrow

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Show or export what is accepted and waits for PostgreSQL.",
        discussion: "Reads the journal beside the running daemon, or without it, and never changes it.",
        subcommands: [List.self, Export.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what waits in each domain's journal.",
            discussion: """
                What PostgreSQL has already is not counted, as far as it can be asked. Reads the whole journal. Ends with 65 if batches are \
                damaged; the daemon keeps those as dead letters when it comes to them.
                """)

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "Only this domain's.")
        var domain: String?

        @Flag(help: "Print a JSON object for each domain, a line each.")
        var json = false

        func run() throws {
            let configuration = try options.load(withIntake: false)
            var isDamaged = false
            for domain in try configuration.domains(named: domain, in: options.config) {
                try describingErrors(of: domain.name) {
                    guard let view = try JournalView(of: domain.name, configuration.journal) else {
                        printError("\(domain.name): no journal in \(configuration.journal.directory) yet")
                        return
                    }
                    let report = try JournalReport(view, of: domain, configuration.journal)
                    isDamaged = isDamaged || report.damagedBatches > 0
                    print(json ? try JournalText.json(report) : JournalText.whole(report))
                }
            }
            if isDamaged { throw ExitCode(EX_DATAERR) }
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write what waits as NDJSON, which `windrow import` reads back.",
            discussion: """
                Each line is an edit with its own mode, in the order of acceptance. What PostgreSQL has already is left out, as far as it \
                can be asked; what it has in part is not, and to import it again changes nothing unless others have written meanwhile. Ends \
                with 65 if batches are damaged, which are left out.
                """)

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "The domain, if the configuration has several.")
        var domain: String?

        @Option(name: .shortAndLong, help: ArgumentHelp("Where to; standard output if not given.", valueName: "file"))
        var output: String?

        @Flag(help: "Replace a file that is there.")
        var force = false

        func run() throws {
            let configuration = try options.load(withIntake: false)
            let domain = try configuration.domain(named: domain, in: options.config)
            Interrupt.install()
            signal(SIGPIPE, SIG_IGN)
            let result = try describingErrors(of: domain.name) {
                guard let view = try JournalView(of: domain.name, configuration.journal) else {
                    printError("\(domain.name): no journal in \(configuration.journal.directory) yet")
                    throw ExitCode.success
                }
                do {
                    return try JournalExport(view, of: domain, isInterrupted: { Interrupt.isReceived })
                        .run(to: output, replaces: force)
                } catch is OutputClosed {
                    throw ExitCode.success
                }
            }
            guard let result else { throw ExitCode(Interrupt.exitCode) }
            if let error = result.postgresError {
                printError("\(domain.name): it is not known what PostgreSQL has already, so all is exported: \(error)")
            }
            printError(
                "\(domain.name): \(counted(result.points, "point")) of \(counted(result.batches, "record batch"))")
            if result.damagedBatches > 0 {
                printError(
                    "\(domain.name): \(counted(result.damagedBatches, "damaged batch")) with \(counted(result.damagedPoints, "point")) "
                        + "left out")
                throw ExitCode(EX_DATAERR)
            }
        }
    }
}

/// How a look at the journal is printed.
enum JournalText {
    static func whole(_ report: JournalReport) -> String {
        var lines = [
            "\(report.domain): \(report.path)",
            "  daemon        \(report.daemonRuns ? "runs" : "does not run")",
            "  size          \(size(report.bytes)) on the disk, of \(size(report.maxBytes))",
        ]
        if let error = report.postgresError {
            lines.append("  PostgreSQL    cannot be asked what it has already: \(error)")
        } else if let position = report.writtenThrough, position > 0 {
            lines.append("  PostgreSQL    has all up to position \(position)")
        } else {
            lines.append("  PostgreSQL    has nothing of this journal")
        }
        if let first = report.firstPosition, let last = report.lastPosition {
            lines.append(
                "  waiting       \(counted(report.points, "point")) of \(counted(report.series, "series")) in "
                    + "\(counted(report.records, "record")), \(counted(report.batches, "batch")), positions \(first) to \(last)"
            )
        } else {
            lines.append("  waiting       nothing")
        }
        if report.keptBatches > 0 {
            lines.append("  kept          \(counted(report.keptBatches, "batch")) that PostgreSQL has")
        }
        if let oldest = report.oldestPoint, let newest = report.newestPoint {
            lines.append("  their time    \(oldest) to \(newest)")
        }
        if report.damagedBatches > 0 {
            lines.append(
                "  damaged       \(counted(report.damagedBatches, "batch")) with \(counted(report.damagedPoints, "point"))"
            )
        }
        lines.append("  dead letters  \(grouped(report.deadLetters))")
        return lines.joined(separator: "\n")
    }

    static func json(_ report: JournalReport) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(report), as: UTF8.self)
    }

    private static func size(_ bytes: Int) -> String {
        if bytes < 10 << 20 { return "\(grouped(bytes >> 10)) KiB" }
        return "\(grouped(bytes >> 20)) MiB"
    }
}
