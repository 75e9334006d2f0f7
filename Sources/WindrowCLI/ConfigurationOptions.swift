import ArgumentParser
import Foundation
import Windrow

/// What every command takes.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("The configuration.", valueName: "file"))
    var config = "/etc/windrow/windrow.yaml"

    /// - Parameter withIntake: as `Configuration.load` has it.
    func read(withIntake: Bool = true) throws(ConfigurationError) -> Configuration {
        try Configuration.load(
            file: config, environment: ProcessInfo.processInfo.environment, withIntake: withIntake)
    }

    /// Reads the configuration; says what is wrong with it and ends the command if it cannot be used.
    func load(withIntake: Bool = true) throws -> Configuration {
        do {
            return try read(withIntake: withIntake)
        } catch {
            printError("\(error)")
            throw ExitCode.configuration
        }
    }
}

extension Configuration {
    /// Ends the command unless there is such a domain.
    /// - Parameter file: names the configuration.
    func require(domain name: String, in file: String) throws {
        guard !domains.contains(where: { $0.name == name }) else { return }
        printError("there is no domain \(name) in \(file); it has \(domains.map(\.name).joined(separator: " "))")
        throw ExitCode(EX_USAGE)
    }
}

/// One line or more to standard error.
func printError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
