import Glibc
import MQTT
import NIOCore
import NIOPosix

/// A fleet that sends, and what comes of it.
public struct Simulation {
    private let settings: Settings
    private let plan: Plan
    private let loops: MultiThreadedEventLoopGroup?

    /// How long a last acknowledgement is waited for.
    private static let settlePatience: Int64 = 30_000_000_000

    /// - Throws: `FleetError` for settings that make no sense.
    public init(_ settings: Settings) throws(FleetError) {
        try settings.validate()
        self.settings = settings
        plan = Plan(settings.fleet)
        if case .server = settings.target {
            loops = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
        } else {
            loops = nil
        }
    }

    /// Sends until it is over or SIGINT comes, waits for acknowledgements, and compares and deletes if that is wanted. Tells how it
    /// goes on standard error.
    /// - Throws: `SimulationError` if it cannot begin, or not compare.
    public func run() throws -> Summary {
        let database = try settings.database.map { try PostgresStore($0) }
        try database?.checkOwnership(settings.fleet)
        try raiseFileLimit()
        if !settings.verifiesOnly { try probe() }
        Interruption.install()
        let begin = monotonicNow()
        var view = LiveView(begin: begin)
        let ledgers: [Ledger]
        var summary: Summary
        if settings.verifiesOnly {
            ledgers = Array(repeating: Ledger(acknowledgedAllOf: plan), count: settings.fleet.gateways)
            summary = Summary(plan, Report(), seconds: 0, unansweredPoints: 0)
        } else {
            (summary, ledgers) = try send(from: begin, &view)
        }
        if settings.verifies { summary.comparison = try verify(ledgers, database, &view) }
        if settings.cleans, let database { summary.cleaned = try clean(database, &view) }
        return summary
    }

    private func send(from begin: Int64, _ view: inout LiveView) throws -> (Summary, [Ledger]) {
        let firstSpeed = settings.sizing.map { $0.firstRate / pointsPerSpeed } ?? plan.speed
        let course = Course(
            begin: begin, end: settings.duration.map { begin + Int64($0 * 1e9) }, dropOuts: settings.dropOuts,
            speed: firstSpeed)
        let workers = try makeWorkers(course)
        for worker in workers { worker.start() }
        let (report, steps) = watch(workers, course, &view)
        view.end()

        let ledgers = workers.flatMap(\.senders).sorted { $0.gateway < $1.gateway }.map(\.ledger)
        var summary = Summary(
            plan, report, seconds: Double(monotonicNow() - begin) / 1e9,
            unansweredPoints: ledgers.reduce(0) { $0 + $1.pointsUnderWay })
        summary.steps = steps
        return (summary, ledgers)
    }

    /// Points per second of all gateways at a speed of one position per second of each.
    private var pointsPerSpeed: Double { Double(plan.pointsPerMessage * settings.fleet.gateways) }

    // MARK: Sending

    private func makeWorkers(_ course: Course) throws -> [any Worker] {
        let text = MessageText(plan, topic: settings.topic)
        // They come one by one, as fast as servers like it.
        let senders = (0..<settings.fleet.gateways).map {
            (Sender(plan, gateway: $0, course: course), delay: Int64($0) * 1_000_000)
        }
        let groups = (0..<min(settings.threads, senders.count)).map { number in
            stride(from: number, to: senders.count, by: settings.threads).map { senders[$0] }
        }
        switch settings.target {
        case .broker(var options):
            options.inFlightMessages = settings.inFlight
            options.sessionExpirySeconds = 0
            let run = String(plan.residue, radix: 36) + String(UInt64(course.begin) & 0xFFFFFF, radix: 36)
            return try groups.map { group in
                let gateways = try group.map { sender, delay in
                    options.clientID = "windrow-simulate-\(run)-\(sender.gateway)"
                    return try MQTTGateway(sender, options, course: course, delay: delay)
                }
                return try MQTTWorker(gateways, text, course: course)
            }
        case .server(let target):
            guard let loops else { preconditionFailure("no event loops for HTTP") }
            let tls = try target.makeTLSContext()
            return groups.map { RequestWorker($0, target, tls, text, course: course, loop: loops.next()) }
        }
    }

    /// Tells how it goes until all is sent and answered.
    private func watch(
        _ workers: [any Worker], _ course: Course, _ view: inout LiveView
    ) -> (report: Report, steps: [SizingStep]) {
        let stored = settings.database.map { StoredWatch(plan, $0) }
        stored?.start()
        defer { stored?.stop() }
        var sizing = settings.sizing.map { SizingRun($0, begin: course.begin) }
        var progress = (answers: 0, moment: course.begin)
        while true {
            // Before the report, which is then the last one.
            let hasEnded = workers.allSatisfy(\.hasEnded)
            let report = gather(workers)
            if hasEnded { return (report, sizing?.steps ?? []) }
            let now = monotonicNow()
            stored?.update(report.positions)
            view.update(now, report.tally, stored?.sight, troubles: report.troubles, since: course.begin)
            if Interruption.hasCome { course.halt() }
            if sizing != nil, !course.isHalted {
                switch sizing?.advance(now, report.tally, lag: stored?.sight?.lag) {
                case .rate(let rate): course.set(speed: rate / pointsPerSpeed)
                case .end: course.halt()
                case .nothing, nil: break
                }
            }
            let answers = report.tally.latency.total
            if answers != progress.answers || !course.isHalted && now < course.endMoment { progress = (answers, now) }
            if now - progress.moment > Self.settlePatience { course.abort() }
            pause(milliseconds: 50)
        }
    }

    private func gather(_ workers: [any Worker]) -> Report {
        workers.reduce(into: Report()) { sum, worker in
            let report = worker.report
            sum.tally += report.tally
            sum.troubles += report.troubles
            sum.positions += report.positions
        }
    }

    // MARK: Before and after

    /// Whether the target is there and takes this client, so that mistakes are told at once.
    private func probe() throws {
        switch settings.target {
        case .broker(var options):
            options.clientID = "windrow-simulate-probe-\(monotonicNow() & 0xFFFFFF)"
            options.sessionExpirySeconds = 0
            do throws(MQTTError) {
                try BrokerProbe(options).run()
            } catch {
                throw SimulationError(error)
            }
        case .server(let target):
            guard let loops else { return }
            try RequestStore(target, on: loops.next()).probe(settings.fleet)
        }
    }

    private func raiseFileLimit() throws(SimulationError) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
        guard limit.rlim_max >= settings.fleet.gateways + 64 else {
            throw SimulationError(
                .setup,
                "\(settings.fleet.gateways) gateways need as many file descriptors, and the limit is \(limit.rlim_max); "
                    + "raise it by ulimit -n, or simulate fewer")
        }
    }

    private func verify(
        _ ledgers: [Ledger], _ database: PostgresStore?, _ view: inout LiveView
    ) throws(SimulationError) -> Comparison? {
        let wasInterrupted = Interruption.hasCome
        let store: any PointStore
        if let database {
            store = database
        } else if case .server(let target) = settings.target, let loops {
            store = try RequestStore(target, on: loops.next())
        } else {
            return nil
        }
        let verification = Verification(plan: plan, ledgers: ledgers, store: store, patience: settings.verifyPatience)
        var told = view
        let result = try verification.run { progress in
            let waiting =
                progress.outstanding > 0 ? ", waiting for \(Numbers.grouped(progress.outstanding)) points" : ""
            told.step(
                monotonicNow(),
                "verifying     gateway \(progress.gateways) of \(ledgers.count), "
                    + "\(Numbers.grouped(progress.result.stored)) points stored as acknowledged\(waiting)")
            return wasInterrupted || !Interruption.hasCome
        }
        told.end()
        view = told
        return result
    }

    private func clean(_ database: PostgresStore, _ view: inout LiveView) throws(SimulationError) -> Int {
        // Somebody may have given nodes of the range other tags meanwhile.
        try database.checkOwnership(settings.fleet)
        var count = 0
        for gateway in 0..<settings.fleet.gateways {
            count += try database.deletePoints(plan, gateway: gateway)
            view.step(monotonicNow(), "cleaning      gateway \(gateway + 1) of \(settings.fleet.gateways)")
        }
        view.end()
        return count
    }
}

/// Connects once, to see whether that works.
private struct BrokerProbe {
    private let client: Client

    init(_ options: Client.Options) throws(MQTTError) {
        client = try Client(options, handler: Silence())
    }

    func run() throws(MQTTError) {
        try client.connect()
        while !client.isConnected {
            let events = POLLIN | (client.wantsWrite ? POLLOUT : 0)
            var entry = pollfd(fd: client.fileDescriptor ?? -1, events: Int16(events), revents: 0)
            poll(&entry, 1, 100)
            _ = try client.read(limit: 1)
            try client.keepAlive()
            try client.write()
        }
        client.disconnect(within: .milliseconds(500))
    }

    private final class Silence: ClientHandler {
        func connected(sessionPresent: Bool) {}
        func subscribed(_ messageID: MessageID, results: [SubscriptionResult]) {}
        func unsubscribed(_ messageID: MessageID) {}
        func received(_ message: borrowing MQTT.Message) {}
    }
}
