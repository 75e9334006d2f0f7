import ArgumentParser
import Foundation
import Windrow

struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Look at the messages that could not be accepted, and deal with them.",
        discussion: """
            Works beside the running daemon. A message that is rejected, and points that PostgreSQL refuses, are kept with the reason \
            until journal.max_dead_letters is reached, or until you retry or drop them.
            """,
        subcommands: [List.self, Show.self, Retry.self, Drop.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List them, the newest first, a line each.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var selection: DeadLetterSelection

        @Option(help: "How many to list of each domain.")
        var limit = 50

        @Flag(help: "Print a JSON object a line, with the payload.")
        var json = false

        func run() throws {
            let filter = try selection.filter()
            for (domain, letters) in try selection.open(options) {
                if !json { try printSummary(domain, letters, filter) }
                try describingErrors {
                    try letters.forEach(filter, limit: max(limit, 0)) { stored in
                        if json {
                            try print(DeadLetterText.json(stored, domain))
                        } else {
                            print(DeadLetterText.row(stored))
                        }
                    }
                }
            }
        }

        private func printSummary(_ domain: String, _ letters: DeadLetters, _ filter: DeadLetterFilter) throws {
            let counts = try describingErrors { try letters.counts(filter) }
            let total = counts.reduce(0) { $0 + $1.count }
            let reasons = counts.map { "\($0.count) \($0.reason)" }.joined(separator: ", ")
            print("\(domain): \(total == 0 ? "none" : "\(total) (\(reasons))")")
            if total > 0 { print(DeadLetterText.header) }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one whole, with its payload.")

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "The domain, if the configuration has several.")
        var domain: String?

        @Flag(help: "Write the payload alone, as it came.")
        var raw = false

        @Argument(help: "Its ID, from the list.")
        var id: Int64

        func run() throws {
            let selection = DeadLetterSelection(domain: domain, ids: [id])
            guard let (name, letters) = try selection.open(options).first else { throw ExitCode(EX_USAGE) }
            try describingErrors {
                try letters.forEach(try selection.filter(), limit: 1) { stored in
                    if raw {
                        try FileHandle.standardOutput.write(contentsOf: Data(stored.letter.payload))
                    } else {
                        print(DeadLetterText.whole(stored, name))
                    }
                }
            }
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have them accepted again, after the cause is mended.",
            discussion: """
                The daemon takes them as if they came when they came first, with the configuration that it runs with now, in the order \
                of now: an old update overwrites what has been written since. Those that it accepts are gone from the list.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var selection: DeadLetterSelection

        @Flag(help: "All of them.")
        var all = false

        @Option(help: "Seconds to wait for the daemon to have tried them.")
        var wait = 60

        func validate() throws { try selection.validate(all: all) }

        func run() throws {
            let filter = try selection.filter()
            var isLate = false
            for (domain, letters) in try selection.open(options) {
                let (marked, hopeless) = try describingErrors { try letters.askForRetry(filter) }
                if hopeless > 0 {
                    print("\(domain): \(hopeless) cannot be retried: they are damaged, or only their beginning is kept")
                }
                if marked.isEmpty {
                    print("\(domain): none to retry")
                } else if !letters.isDaemonRunning {
                    print("\(domain): \(marked.count) marked; the daemon does not run, and tries them when it does")
                } else if try wasDone(letters) {
                    let left = try describingErrors { try letters.present(of: marked).count }
                    let again = left == 0 ? "" : ", \(left) refused again: see `windrow dead-letters list`"
                    print("\(domain): \(marked.count - left) accepted, for PostgreSQL to store\(again)")
                } else {
                    printError(
                        "\(domain): \(marked.count) marked; the daemon has not come to all of them in \(wait) s; see its log"
                    )
                    isLate = true
                }
            }
            if isLate { throw ExitCode.unavailable }
        }

        private func wasDone(_ letters: DeadLetters) throws -> Bool {
            let deadline = Date.now.addingTimeInterval(Double(wait))
            while try describingErrors({ try letters.waitingForRetry() }) > 0 {
                if Date.now >= deadline { return false }
                Thread.sleep(forTimeInterval: 0.1)
            }
            return true
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete them for good.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var selection: DeadLetterSelection

        @Flag(help: "All of them.")
        var all = false

        func validate() throws { try selection.validate(all: all) }

        func run() throws {
            let filter = try selection.filter()
            for (domain, letters) in try selection.open(options) {
                print("\(domain): \(try describingErrors { try letters.drop(filter) }) dropped")
            }
        }
    }
}
