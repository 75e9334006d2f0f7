import ArgumentParser
import Windrow

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the configuration, the journals' folders and every server, one line each.",
        discussion: """
            Ends with 0 when all is well, 78 when the configuration or a server's set-up has to change, 69 when a server is not \
            reachable. It may run beside the daemon and does not touch its sessions; it then tells what a reload would change.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let configuration = try options.load()
        let count = configuration.domains.count
        print("ok    configuration \(options.config): \(count) domain\(count == 1 ? "" : "s")")
        var verdicts: Set<Check.Finding.Verdict> = []
        Check(configuration).run { finding in
            print(finding.line)
            verdicts.insert(finding.verdict)
        }
        if verdicts.contains(.wrong) { throw ExitCode.configuration }
        if verdicts.contains(.unreachable) { throw ExitCode.unavailable }
    }
}
