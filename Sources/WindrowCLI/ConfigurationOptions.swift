import ArgumentParser
import Foundation
import Windrow

/// What every command takes.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("The configuration.", valueName: "file"))
    var config = "/etc/windrow/windrow.yaml"

    /// Reads the configuration; says what is wrong with it and ends the command if it cannot be used.
    func load() throws -> Configuration {
        do {
            return try Configuration.load(file: config, environment: ProcessInfo.processInfo.environment)
        } catch {
            printError("\(error)")
            throw ExitCode.configuration
        }
    }
}

/// One line or more to standard error.
func printError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
