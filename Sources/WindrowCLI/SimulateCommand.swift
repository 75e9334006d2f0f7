import ArgumentParser
import Foundation
import Simulation
import Windrow

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Send what a fleet of gateways would, and see what becomes of it.",
        discussion: """
            Publishes to a broker (mqtt://HOST[:PORT], mqtts://…) or posts to Windrow (http://HOST[:PORT]/DOMAIN, https://…), until \
            Ctrl-C or as long as --duration and --points say, and tells how fast it goes. With --verify it then compares every \
            acknowledged point with what is stored, and ends with 65 if anything is missing or wrong. The nodes are its own: from \
            1000000 on, with the tags sim1, sim2 and so on. Nodes that have other tags are not touched.
            """)

    @Argument(help: "The broker, or the domain's address: mqtt://127.0.0.1:1883, http://127.0.0.1:8080/demo.")
    var target: String

    @OptionGroup(title: "The fleet") var fleet: FleetOptions
    @OptionGroup(title: "The connection") var connection: SimulatedConnectionOptions
    @OptionGroup(title: "What is stored") var storage: StorageOptions

    @Flag(
        help: "Raise the rate step by step, from --rate on, until it cannot be kept up, and print what each step gave.")
    var sizing = false

    @Option(help: ArgumentHelp("How long each rate of --sizing is tried.", valueName: "duration"))
    var step = Span(10, "10s")

    @Flag(help: "Print the summary as a JSON object.")
    var json = false

    func run() throws {
        let summary: Summary
        do {
            let settings = try settings()
            let simulation = try Simulation(settings)
            try storage.confirm(settings)
            if !settings.verifiesOnly { printError(fleet.introduction(settings, target)) }
            summary = try simulation.run()
        } catch let error as FleetError {
            printError("\(error)")
            throw ExitCode(EX_USAGE)
        } catch let error as SimulationError {
            printError("\(error)")
            throw error.kind == .unreachable ? ExitCode.unavailable : ExitCode.configuration
        }
        print(json ? summary.json : "\(summary)")
        if summary.comparison?.isClean == false { throw ExitCode(EX_DATAERR) }
        if summary.refusedPoints + summary.unheardPoints > 0 { throw ExitCode.configuration }
        if summary.unansweredPoints > 0 { throw ExitCode.unavailable }
    }

    private func settings() throws -> Settings {
        var settings = Settings(
            fleet: try fleet.fleet(), target: try connection.target(target), topic: try TopicForm(connection.topic))
        settings.dropOuts = DropOuts(share: fleet.dropOuts, seconds: fleet.dropOutLength.seconds)
        settings.duration = fleet.duration?.seconds
        settings.inFlight = connection.inFlight
        settings.threads = connection.threads ?? max(ProcessInfo.processInfo.activeProcessorCount / 2, 1)
        settings.database = try storage.database()
        settings.verifies = storage.verify || storage.verifyOnly
        settings.verifiesOnly = storage.verifyOnly
        settings.verifyPatience = .seconds(storage.verifyTimeout.seconds)
        settings.cleans = storage.clean
        if sizing {
            guard let rate = settings.fleet.rate else { throw ValidationError("--sizing begins at a rate: not at max") }
            settings.sizing = .init(firstRate: rate, stepSeconds: step.seconds)
            // A clock of its own, for rates that are not known yet, and none that is away while others are measured.
            settings.fleet.rate = nil
            settings.dropOuts.share = 0
        }
        return settings
    }
}

/// Which gateways there are, and what they do.
struct FleetOptions: ParsableArguments {
    @Option(help: "Gateways, a connection each.")
    var gateways = 50

    @Option(help: "Nodes of each gateway.")
    var nodesPerGateway = 10

    @Option(help: "Tags of each node: sim1, sim2 and so on.")
    var tags = 2

    @Option(help: "The id of the first node. All others follow it.")
    var firstNode: Int64 = 1_000_000

    @Option(
        help: "Points that the fleet measures in a second; max: as many as are acknowledged.")
    var rate = Rate(perSecond: 1000)

    @Option(help: "Points of a message.")
    var pointsPerMessage = 1

    @Option(help: "How irregular readings are, as a share of their interval.")
    var jitter = 0.1

    @Option(help: "Share of the gateways that are away at any time. They send their backlog when they come back.")
    var dropOuts = 0.02

    @Option(
        help: ArgumentHelp("How long a gateway is away.", valueName: "duration"))
    var dropOutLength = Span(10, "10s")

    @Option(help: "Share of the messages that come three rounds late.")
    var late = 0.01

    @Option(help: "Share of the messages that are sent twice.")
    var duplicates = 0.01

    @Option(help: "Share of the messages that are corrected later, by update_window.")
    var corrections = 0.01

    @Option(
        help: ArgumentHelp(
            "So much of the past, a point each ten minutes, is sent by some gateways in messages of 1000 points, such as 7d.",
            valueName: "duration"))
    var backfill = Span(0, "0s")

    @Option(help: "Share of the gateways that send some of the past.")
    var backfillGateways = 0.1

    @Option(
        help: ArgumentHelp("How long to send; without it or --points until Ctrl-C.", valueName: "duration"))
    var duration: Span?

    @Option(help: "Ends after so many measured points, rounded up to whole messages of all gateways.")
    var points: Int?

    @Option(help: "The same seed and --start give the same messages; one by chance if not given.")
    var seed: UInt64?

    @Option(help: "When the fleet begins to measure, such as 2026-01-01T00:00:00Z; now if not given.")
    var start: String?

    func fleet() throws -> Fleet {
        var begin = Timestamp.now.microseconds
        if let start {
            guard let date = try? Date(start, strategy: .iso8601) else {
                throw ValidationError("--start: expected a time such as 2026-01-01T00:00:00Z; found \(start)")
            }
            begin = Int64(date.timeIntervalSince1970) * 1_000_000
        }
        var fleet = Fleet(seed: seed ?? UInt64.random(in: 1...999_999), start: begin / 1000 * 1000)
        fleet.gateways = gateways
        fleet.nodesPerGateway = nodesPerGateway
        fleet.tags = tags
        fleet.firstNode = firstNode
        fleet.rate = rate.perSecond
        fleet.pointsPerMessage = pointsPerMessage
        fleet.jitter = jitter
        fleet.late = late
        fleet.duplicates = duplicates
        fleet.corrections = corrections
        fleet.backfill = Int(backfill.seconds)
        fleet.backfillGateways = backfillGateways
        fleet.pointLimit = points
        return fleet
    }

    /// Says before anything is sent what will be, and what it would be again by.
    func introduction(_ settings: Settings, _ target: String) -> String {
        let fleet = settings.fleet
        let end =
            fleet.pointLimit == nil && settings.duration == nil && settings.sizing == nil ? "; Ctrl-C ends it" : ""
        return
            "\(fleet.gateways) gateways send to \(target) as nodes \(fleet.nodes.lowerBound) to \(fleet.nodes.upperBound), "
            + "seed \(fleet.seed)\(end)"
    }
}

/// Points per second.
struct Rate: ExpressibleByArgument {
    /// Nil: as many as are acknowledged.
    var perSecond: Double?

    init(perSecond: Double?) { self.perSecond = perSecond }

    init?(argument: String) {
        guard argument != "max" else { return }
        guard let number = Double(argument) else { return nil }
        perSecond = number
    }

    var defaultValueDescription: String { perSecond.map { "\(Int($0))" } ?? "max" }
}

/// A duration with its unit, such as 30s.
struct Span: ExpressibleByArgument {
    var seconds: Double
    private var text: String

    init(_ seconds: Double, _ text: String) {
        self.seconds = seconds
        self.text = text
    }

    init?(argument: String) {
        guard let duration = Duration(withUnit: argument), duration <= .seconds(36_500 * 86_400) else { return nil }
        self.init(duration / .seconds(1), argument)
    }

    var defaultValueDescription: String { text }
}
