import ArgumentParser
import Foundation
import Windrow

/// Which dead letters a command means.
struct DeadLetterSelection: ParsableArguments {
    @Option(help: "Only this domain's.")
    var domain: String?

    @Option(help: "Only those with this reason, such as bad_value; may be given more than once.")
    var reason: [Rejection.Reason] = []

    @Option(
        help: "Only those on topics that an MQTT filter matches, such as nodes/7/# or nodes/+/temperature.",
        transform: TopicFilter.init(argument:))
    var topic: TopicFilter?

    @Option(help: "Only those received at least this long ago, such as 7d.", transform: duration)
    var olderThan: Duration?

    @Option(help: "Only those received less than this long ago, such as 1h.", transform: duration)
    var newerThan: Duration?

    @Argument(help: "Only these.")
    var ids: [Int64] = []

    init() {}

    init(domain: String?, ids: [Int64]) {
        self.domain = domain
        self.ids = ids
        (reason, topic, olderThan, newerThan) = ([], nil, nil, nil)
    }

    func filter() throws -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.ids = ids
        filter.reasons = reason
        filter.topic = topic
        filter.before = olderThan.map { Timestamp(before: .now, by: $0) }
        filter.after = newerThan.map { Timestamp(before: .now, by: $0) }
        return filter
    }

    /// For commands that change something: to mean all of them has to be said.
    func validate(all: Bool) throws {
        guard try filter().isEmpty == all else {
            throw ValidationError(
                all
                    ? "--all goes with no other selection"
                    : "say which ones: by ID, by a filter such as --reason, or --all")
        }
    }

    /// The domains that are meant and have a journal, in which all the IDs are there.
    func open(_ options: ConfigurationOptions) throws -> [(name: String, letters: DeadLetters)] {
        let configuration = try options.load()
        let names = try configuration.domains(named: domain, in: options.config).map(\.name)
        if names.count > 1, !ids.isEmpty {
            printError("each domain counts its own IDs: name one with --domain, of \(configuration.domainNames)")
            throw ExitCode(EX_USAGE)
        }
        return try names.compactMap { name in
            var unknown = Set(ids)
            do {
                guard let letters = try DeadLetters(of: name, configuration.journal) else {
                    printError("\(name): no journal in \(configuration.journal.directory) yet")
                    return nil
                }
                unknown.subtract(try letters.present(of: ids))
                if unknown.isEmpty { return (name, letters) }
            } catch {
                printError("\(name): \(error)")
                throw ExitCode.configuration
            }
            printError("\(name): there is no dead letter \(unknown.sorted().map(String.init).joined(separator: ", "))")
            throw ExitCode(EX_USAGE)
        }
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = Duration(withUnit: text), duration <= .seconds(36_500 * 86_400) else {
            throw ValidationError("expected a duration such as 30m, 2h or 7d, up to 36500d; found \(text)")
        }
        return duration
    }
}

extension Rejection.Reason: ExpressibleByArgument {}

extension TopicFilter {
    init(argument text: String) throws {
        guard let filter = TopicFilter(text) else {
            throw ValidationError(
                "expected an MQTT filter, in which + is a whole level and # is the last one, or a subscription's topic, such as "
                    + "$share/windrow/nodes/{node}/{tag}; found \(text)")
        }
        self = filter
    }
}
