import ArgumentParser
import Foundation
import Windrow

struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Show messages and requests as they are accepted or rejected, live.",
        discussion: """
            Asks the running daemon through http.admin, until Ctrl-C. An element of an HTTP request shows as nodes/ID/TAG. What comes \
            too fast to be shown is counted, and never holds the daemon up. It subscribes to nothing at the broker, and takes no message \
            from anybody.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "Only this domain's.")
    var domain: String?

    @Option(
        help: "Only topics that an MQTT filter matches, such as nodes/7/# or nodes/+/temperature.",
        transform: TopicFilter.init(argument:))
    var topic: TopicFilter?

    @Flag(help: "Only what is rejected.")
    var rejected = false

    @Option(name: [.customShort("n"), .long], help: "End after so many.")
    var count: Int?

    @Flag(help: "Print a JSON object a line.")
    var json = false

    func validate() throws {
        if let count, count < 1 { throw ValidationError("expected --count from 1 on; found \(count)") }
    }

    func run() async throws {
        let configuration = try options.load()
        if let domain { try configuration.require(domain: domain, in: options.config) }
        guard let address = configuration.http.admin else {
            printError("\(options.config): http.admin is off, so that nobody can watch; give it an address")
            throw ExitCode.configuration
        }
        let client = TailClient(address, domain: domain, topic: topic, rejectedOnly: rejected)
        let showsDomain = configuration.domains.count > 1
        var left = count ?? .max
        do {
            try await client.run { event in
                if event.missed > 0 { printError("(\(event.missed) not shown)") }
                // At once, also into a pipe.
                try FileHandle.standardOutput.write(contentsOf: Data((text(event, showsDomain) + "\n").utf8))
                left -= 1
                return left > 0
            }
        } catch {
            printError("\(error)")
            throw ExitCode.unavailable
        }
    }

    private func text(_ event: TailClient.Event, _ showsDomain: Bool) -> String {
        if json { return event.json }
        var parts = [event.at.map { "\($0)" }?.padding(toLength: 27, withPad: " ", startingAt: 0) ?? ""]
        if showsDomain { parts.append(event.domain) }
        parts.append(event.outcome == "accepted" ? "accepted" : event.outcome.uppercased())
        parts.append(printable(event.topic))
        if event.outcome == "accepted" { parts.append(event.points == 1 ? "1 point" : "\(event.points) points") }
        if let reason = event.reason { parts.append("\(reason):") }
        if let detail = event.detail { parts.append(printable(detail)) }
        if let payload = event.payload { parts.append("← \(payload)") }
        return parts.joined(separator: "  ")
    }
}
