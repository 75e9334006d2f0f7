import ArgumentParser
import Windrow

/// For the package: before its program is removed, it asks whether a purge may delete the journals.
struct RemainsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remains",
        abstract: "Tell, without a word when there is nothing, what the journals hold that is not in PostgreSQL.",
        shouldDisplay: false)

    @Argument(help: "The folder of the journals: journal.directory.")
    var directory: String

    func run() throws {
        for line in try JournalRemains.lines(in: directory) { print(line) }
    }
}
