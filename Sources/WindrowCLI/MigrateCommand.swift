import ArgumentParser
import Windrow

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create or upgrade the schema in each domain's database.",
        discussion: "Does nothing where the schema is up to date. Safe to run at the same time from several places.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print the SQL that makes the schema from nothing, and change nothing.")
    var print = false

    func run() throws {
        for domain in try options.load().domains {
            try describingErrors(of: domain.name) {
                let migration = Migration(domain)
                if print {
                    Swift.print("-- Domain \(domain.name)\nBEGIN;\n\(try migration.printed)\nCOMMIT;")
                } else {
                    let outcome = try migration.run()
                    Swift.print(
                        "\(domain.name): schema \(domain.schema) \(outcome.applied.isEmpty ? "was" : "is now") at version "
                            + "\(Schema.version), storage engine \(outcome.engine)")
                }
            }
        }
    }
}
