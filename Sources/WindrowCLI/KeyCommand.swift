import ArgumentParser
import Foundation
import Windrow

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make a key that opens a domain to an HTTP client.",
        discussion: """
            Prints the secret, which is stored nowhere, and appends its SHA-256 to the domain's keys_file. A running daemon takes it \
            in when it gets SIGHUP. To revoke a key, remove its line from the file and send SIGHUP.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: "The domain that the key opens.")
    var domain: String

    @Argument(help: "What the key's line in the file is called, such as the client: letters, digits, . _ and -.")
    var name: String

    func run() throws {
        let configuration = try options.load()
        try configuration.require(domain: domain, in: options.config)
        guard let path = configuration.domains.first(where: { $0.name == domain })?.keysFile else {
            printError(
                "\(options.config): domains.\(domain) has no keys_file; name one, such as keys_file: \(domain).keys")
            throw ExitCode.configuration
        }
        guard let key = NewKey(name: name) else {
            printError("\(name): expected \(NewKey.expectation)")
            throw ExitCode(EX_USAGE)
        }
        let mode: UInt16
        do {
            mode = try key.append(to: path)
        } catch {
            printError("\(error)")
            throw ExitCode.configuration
        }
        do {
            try FileHandle.standardOutput.write(contentsOf: Data((key.secret + "\n").utf8))
        } catch {
            printError("the secret could not be printed, and is lost: remove its line from \(path): \(key.line)")
            throw ExitCode(EX_IOERR)
        }
        printError(
            "Above is the secret of \(name), shown this once; clients send Authorization: Key SECRET.\n"
                + "Its SHA-256 is in \(path) (mode \(String(mode, radix: 8))). A running daemon, which must be able to read the "
                + "file, takes it in on SIGHUP.")
    }
}
