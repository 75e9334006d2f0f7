import ArgumentParser
import Logging
import Windrow

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the daemon until SIGTERM or SIGINT.",
        discussion: """
            Creates or upgrades the schema in PostgreSQL first. A server that is away is waited for: what is accepted meanwhile is \
            kept in the journal. A second signal ends the daemon at once, which loses nothing either. SIGHUP reads the configuration anew.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "trace, debug, info, notice, warning, error or critical; instead of the configuration's log_level.")
    var logLevel: Logger.Level?

    @Flag(help: "Don't create or upgrade the schema; wait until it is there.")
    var noMigrate = false

    func run() async throws {
        LogOutput.install(level: logLevel ?? .info)
        let configuration = try options.load()
        LogOutput.level = logLevel ?? configuration.logLevel
        do {
            let daemon = try Daemon(configuration, migrates: !noMigrate) {
                [options, logLevel] () throws(ConfigurationError) in
                var configuration = try options.read()
                if let logLevel { configuration.logLevel = logLevel }
                return configuration
            }
            try await daemon.run()
        } catch let error as JournalError {
            printError("windrow: \(error)")
            // A full or failing disk may be mended while a service manager tries again.
            throw error.kind == .full || error.kind == .failed ? ExitCode.unavailable : ExitCode.configuration
        } catch let error
            where error is ListenError || error is KeyFileError || error is Configuration.UnreadableFile
            || error is ServerIdentityError
        {
            printError("windrow: \(error)")
            throw ExitCode.configuration
        } catch {
            printError("windrow: unexpected error, please report it: \(error)")
            throw ExitCode.software
        }
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
