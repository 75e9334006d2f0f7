import ArgumentParser
import Foundation
import Windrow

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Create or upgrade the schema in each domain's database, and change its storage engine.",
        discussion: """
            Does nothing where the schema is up to date and points are stored by the engine that the configuration names. Safe to run at \
            the same time from several places.

            Where there are points and they are stored by another engine, they are copied into a new table, while daemons and others go on \
            writing. That takes about as much room again. When all is copied and compared, the tables swap their names; what was there \
            before stays, as point_old, until --drop-old. A command that was interrupted, in whatever way, goes on where it was when it is \
            given again; --abandon undoes what it did.

            Ends with 0 when all is done, 64 when another windrow migrate is at work, 69 when PostgreSQL is not reachable, 78 when the \
            configuration or the database has to change, 130 when it was interrupted.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "Only this domain.")
    var domain: String?

    @Flag(
        help:
            "Print the SQL that makes the schema from nothing, or that changes the storage engine, and change nothing.")
    var print = false

    @Option(help: ArgumentHelp("Copy at most so many points a second.", valueName: "points"))
    var rate: Int?

    @Flag(help: "Compare all points before the tables swap their names, not only how many there are.")
    var verify = false

    @Flag(help: "Undo a change of the storage engine that is not finished.")
    var abandon = false

    @Flag(help: "Drop the table that was there before the storage engine was changed.")
    var dropOld = false

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    func validate() throws {
        guard [print, abandon, dropOld].filter(\.self).count <= 1 else {
            throw ValidationError("--print, --abandon and --drop-old go one by one")
        }
        if let rate, rate < 1 { throw ValidationError("--rate is a number of points above 0") }
    }

    func run() throws {
        Interrupt.install()
        for domain in try options.load(withIntake: false).domains(named: domain, in: options.config) {
            do {
                try describingErrors(of: domain.name) {
                    if print {
                        try printSQL(domain)
                    } else if abandon {
                        let isUndone = try conversion(domain).abandon()
                        Swift.print(
                            "\(domain.name): \(isUndone ? "undone; point is as it was" : "there is nothing to undo")")
                    } else if dropOld {
                        let size = try conversion(domain).dropOld()
                        Swift.print(
                            "\(domain.name): " + (size.map { "dropped point_old, \($0)" } ?? "there is no point_old"))
                    } else {
                        try migrate(domain)
                    }
                }
            } catch {
                if Interrupt.isReceived { throw ExitCode(Interrupt.exitCode) }
                throw error
            }
        }
    }

    private func migrate(_ domain: Configuration.Domain) throws {
        let outcome = try Migration(domain).run()
        Swift.print(
            "\(domain.name): schema \(domain.schema) \(outcome.applied.isEmpty ? "was" : "is now") at version "
                + "\(Schema.version), storage engine \(outcome.engine)")
        guard let summary = try conversion(domain).run() else { return }
        let seconds = summary.took / .seconds(1)
        Swift.print(
            """
            \(domain.name): storage engine is now \(summary.engine): \(counted(summary.copied, "point")) copied in \
            \(grouped(Int(seconds.rounded(.up)))) s (\(grouped(Int(Double(summary.copied) / max(seconds, 0.001))))/s), \
            \(grouped(summary.compared)) compared\(verify ? " one by one" : "")
            \(domain.name): the table that was there before is point_old; windrow migrate --drop-old drops it
            """)
        if domain.storage.engine == .partitions {
            Swift.print(
                "\(domain.name): restart daemons that were started before, so that they make partitions ahead of need"
                    + (domain.storage.retention == nil ? "" : " and drop old ones"))
        }
    }

    private func conversion(_ domain: Configuration.Domain) throws -> Conversion {
        let progress = ProgressLine(domain.name, isQuiet: quiet)
        var obstacle: String?
        return try Conversion(
            domain, Conversion.Options(rate: rate, verifies: verify),
            report: { report in
                switch report.phase {
                case .copying:
                    progress.show(share: report.share, points: report.rows)
                    obstacle = nil
                case .comparing: progress.show(share: nil, points: report.rows, "comparing")
                case .waiting(let why):
                    if obstacle == nil {
                        progress.clear()
                        printError("\(domain.name): waiting: \(why)")
                        obstacle = why
                    }
                    progress.show(share: report.share, points: report.rows, "waiting")
                }
            },
            notice: { notice in
                progress.clear()
                printError("\(domain.name): \(notice)")
            },
            ended: { progress.clear() }, isInterrupted: { Interrupt.isReceived })
    }

    private func printSQL(_ domain: Configuration.Domain) throws {
        let migration = Migration(domain)
        Swift.print("-- Domain \(domain.name)\nBEGIN;\n\(try migration.printed)\nCOMMIT;")
        if let conversion = try Conversion.printed(domain) { Swift.print(conversion) }
    }
}
