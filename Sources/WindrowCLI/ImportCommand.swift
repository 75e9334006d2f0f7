import ArgumentParser
import Foundation
import Windrow

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Write the points of CSV or NDJSON files to a domain's database.",
        discussion: """
            Needs no daemon and works beside one. Files may be gzipped; - is standard input.

            CSV has a header line that names the columns node_id (or node), tag, ts (or time) and v (or value); others are passed over. \
            A line of NDJSON is {"node_id":7,"tag":"outdoortemp","ts":"2023-01-01T12:00:00Z","v":12.3}, or has "data":[{"v":…,"ts":…},…] \
            as in the body of a request, and may state its own "overwrite" and "window". `windrow export` and `windrow journal export` write \
            what this reads.

            An import that was interrupted, in whatever way, goes on where it was when the same command is given again with the same file. \
            It follows a failover by itself, if the connection string names all hosts. \
            It stops at a line that cannot be read, unless --skip-bad says where such lines are to go.

            Ends with 0 when all is imported, 65 when lines cannot be, 66 when a file cannot be read, 69 when PostgreSQL is not reachable, \
            78 when the configuration or the database has to change, 130 when it was interrupted.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "The domain, if the configuration has several.")
    var domain: String?

    @Option(
        help: "csv or ndjson; if not given, the name of the file tells: .csv, .ndjson or .jsonl, each also with .gz.")
    var format: ImportOptions.Format?

    @Option(help: "What is done with points that are there already: insert, update_window or replace_window.")
    var overwrite = Overwrite.insert

    @Flag(help: "Read and check everything, say what would be done, and change nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Put lines that cannot be imported into this file, and why into FILE.reasons, and go on.", valueName: "file"
        ))
    var skipBad: String?

    @Flag(help: "Begin anew what was interrupted.")
    var restart = false

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    @OptionGroup(title: "CSV") var columns: ColumnOptions

    @Argument(help: ArgumentHelp("What to read; - for standard input.", valueName: "file"))
    var files: [String]

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("name a file, or - for standard input") }
        guard skipBad == nil || files.count == 1 else { throw ValidationError("--skip-bad goes with one file") }
        guard skipBad == nil || !dryRun else { throw ValidationError("--dry-run tells the bad lines itself") }
        try columns.validate(format)
    }

    func run() throws {
        let domain = try options.load(withIntake: false).domain(named: domain, in: options.config)
        Interrupt.install()
        for file in files {
            if Interrupt.isReceived { throw ExitCode(Interrupt.exitCode) }
            try run(file, domain)
        }
    }

    private func run(_ file: String, _ domain: Configuration.Domain) throws {
        let progress = ProgressLine(file == "-" ? "standard input" : file, isQuiet: quiet)
        var wasAway = false
        let task = try describingErrors {
            try Import(
                file, columns.options(format, overwrite), into: domain,
                report: { report in
                    switch report.phase {
                    case .checking: progress.show(share: report.share, points: report.points, "checking")
                    case .importing: progress.show(share: report.share, points: report.points)
                    case .waiting(let why):
                        if !wasAway {
                            progress.clear()
                            printError("\(why); trying again for \(Import.patienceText)")
                        }
                        progress.show(share: report.share, points: report.points, "waiting for PostgreSQL")
                    case .following:
                        progress.clear()
                        printError("PostgreSQL has failed over; the import goes on from where the promoted host stands")
                    }
                    wasAway = if case .waiting = report.phase { true } else { false }
                },
                resumes: { place in
                    progress.clear()
                    let share = Int(place.share * 100)
                    printError(
                        "\(file): resuming at \(share) %, behind line \(grouped(place.lines)); --restart begins anew")
                }, isInterrupted: { Interrupt.isReceived })
        }
        if task.isOnce, !dryRun, !quiet {
            printError("standard input can be read only once: if this import is interrupted, it cannot be resumed")
        }
        do {
            try describingErrors(of: file) {
                do {
                    if dryRun { try task.rehearse() } else { try task.run(skipping: skipBad, restarts: restart) }
                    progress.clear()
                } catch {
                    progress.clear()
                    ImportText.tellBadLines(task.summary, isSkipping: skipBad != nil)
                    throw error
                }
                ImportText.tellBadLines(task.summary, isSkipping: skipBad != nil)
            }
        } catch {
            if !dryRun { ImportText.tellIncomplete(task.summary, overwrite) }
            if Interrupt.isReceived { throw ExitCode(Interrupt.exitCode) }
            throw error
        }
        if let plan = task.summary.plan, !Interrupt.isReceived {
            print(ImportText.plan(plan, of: task.summary))
            if task.summary.badLineCount > 0 { throw ExitCode(EX_DATAERR) }
        } else if task.summary.isComplete {
            print(ImportText.summary(task.summary, skipBad))
        } else {
            if !dryRun { ImportText.tellIncomplete(task.summary, overwrite) }
            throw ExitCode(Interrupt.exitCode)
        }
    }
}

/// Where a CSV file has what.
struct ColumnOptions: ParsableArguments {
    @Option(help: "The character between cells; \\t for a tab.")
    var delimiter = ","

    @Flag(help: "There is no header line: columns go by number, and are node, tag, ts, v unless said otherwise.")
    var noHeader = false

    @Option(help: ArgumentHelp("The column of the node, by name or number (from 1).", valueName: "column"))
    var nodeColumn: String?

    @Option(help: ArgumentHelp("The column of the tag.", valueName: "column"))
    var tagColumn: String?

    @Option(help: ArgumentHelp("The column of the timestamp.", valueName: "column"))
    var tsColumn: String?

    @Option(help: ArgumentHelp("The column of the value.", valueName: "column"))
    var vColumn: String?

    @Option(help: "The node of all lines, by number or UUID.")
    var node: String?

    @Option(help: "The tag of all lines.")
    var tag: String?

    @Flag(help: "Each column other than the node and the timestamp is a tag; empty cells are passed over.")
    var tagsFromColumns = false

    @Option(help: "The unit of timestamps that are numbers, counted from 1970: s, ms, us or ns.")
    var epoch: EpochUnit?

    @Option(
        help: ArgumentHelp(
            "The offset from UTC of timestamps that have none, such as +01:00 or Z.", valueName: "offset"))
    var timeZone: String?

    func validate(_ format: ImportOptions.Format?) throws {
        _ = try options(format, .insert)
        if format == .ndjson, timeZone != nil {
            throw ValidationError("--time-zone goes with CSV; the timestamps of NDJSON have their offsets")
        }
        for (constant, column, what) in [(node, nodeColumn, "node"), (tag, tagColumn, "tag")]
        where constant != nil && column != nil {
            throw ValidationError("--\(what) and --\(what)-column do not go together")
        }
        if tagsFromColumns, tag != nil || tagColumn != nil || vColumn != nil {
            throw ValidationError("--tags-from-columns goes without --tag, --tag-column and --v-column")
        }
    }

    func options(_ format: ImportOptions.Format?, _ overwrite: Overwrite) throws -> ImportOptions {
        var options = ImportOptions()
        options.format = format
        options.overwrite = overwrite
        let bytes = Array((delimiter == "\\t" ? "\t" : delimiter).utf8)
        guard bytes.count == 1, bytes[0] < 0x80, !"\"\r\n+-.:".utf8.contains(bytes[0]),
            !(Character(UnicodeScalar(bytes[0])).isLetter || Character(UnicodeScalar(bytes[0])).isNumber)
        else { throw ValidationError("--delimiter is one character such as , ; or \\t, found \(delimiter)") }
        options.delimiter = bytes[0]
        options.hasHeader = !noHeader
        options.nodeColumn = nodeColumn.map(ImportOptions.Column.init)
        options.tagColumn = tagColumn.map(ImportOptions.Column.init)
        options.timestampColumn = tsColumn.map(ImportOptions.Column.init)
        options.valueColumn = vColumn.map(ImportOptions.Column.init)
        options.node = try node.map(nodeName)
        options.tag = try tag.map { text in
            guard let tag = Tag(text) else { throw ValidationError("\(text) is no tag") }
            return tag
        }
        options.tagsFromColumns = tagsFromColumns
        options.epoch = epoch
        options.timeZone = try timeZone.map(offset)
        return options
    }

    private func offset(_ text: String) throws -> Int {
        let midnight = "2000-01-01T00:00:00"
        guard let utc = Timestamp(rfc3339: midnight + "Z"), let there = Timestamp(rfc3339: midnight + text) else {
            throw ValidationError("--time-zone is an offset such as +01:00, -03:30 or Z, found \(text)")
        }
        return Int((utc.microseconds - there.microseconds) / 1_000_000)
    }
}

func nodeName(_ text: String) throws -> NodeName {
    guard let name = NodeName(text) else {
        throw ValidationError("\(text) is no node: expected an integer from 1 on, or a UUID")
    }
    return name
}

extension ImportOptions.Format: ExpressibleByArgument {}
extension Overwrite: ExpressibleByArgument {}
extension EpochUnit: ExpressibleByArgument {}
