import ArgumentParser
import Windrow

@main
struct WindrowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windrow",
        abstract: "Writes IoT time series from MQTT and HTTP to PostgreSQL, and loses nothing that was acknowledged.",
        version: Version.current,
        subcommands: [
            RunCommand.self, CheckCommand.self, MigrateCommand.self, KeyCommand.self, DeadLettersCommand.self,
            TailCommand.self, RemainsCommand.self,
        ])
}
