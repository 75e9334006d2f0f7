import Foundation
import MQTT
import Synchronization

/// A thread with some of the gateways, which it runs in turn as their sockets and their plans want it.
///
/// Sendable unchecked: what is not `shared` or constant is the thread's alone until it has ended.
final class MQTTWorker: Worker, @unchecked Sendable {
    private let course: Course
    private let gateways: [MQTTGateway]
    private var text: MessageText
    private let epoll: Epoll
    private var queue: WakeQueue
    private var tally = Tally()
    private var troubles = Troubles()
    private var nextReport: Int64 = 0
    /// The descriptor that each gateway is watched by, and whether for writing.
    private var watched: [(descriptor: Int32, toWrite: Bool)]
    /// Messages of the last report, to know whether there are many.
    private var reportedMessages = 0
    private var isBusy = false

    private let shared = Mutex(Report())
    private let ended = Atomic(false)

    /// Answers are gathered for so long while there are many: a turn for each would cost more than it brings.
    private static let gathering: Int64 = 1_000_000
    private static let reportInterval: Int64 = 100_000_000

    init(_ gateways: [MQTTGateway], _ text: MessageText, course: Course) throws(SimulationError) {
        self.gateways = gateways
        self.text = text
        self.course = course
        epoll = try Epoll()
        queue = WakeQueue(count: gateways.count)
        watched = Array(repeating: (-1, false), count: gateways.count)
        for number in gateways.indices { queue.wake(number, at: course.begin) }
    }

    func start() {
        let thread = Thread { [self] in
            while !isOver() { turn() }
            for gateway in gateways { gateway.end(patiently: !course.isAborted) }
            report(monotonicNow())
            ended.store(true, ordering: .releasing)
        }
        thread.name = "gateways"
        thread.start()
    }

    var report: Report { shared.withLock { $0 } }
    var hasEnded: Bool { ended.load(ordering: .acquiring) }
    /// To be asked for when it has ended.
    var senders: [Sender] { gateways.map(\.sender) }

    private func isOver() -> Bool {
        if course.isAborted { return true }
        let now = monotonicNow()
        guard now >= nextReport else { return false }
        report(now)
        return tally.finished == gateways.count
    }

    private func turn() {
        var now = monotonicNow()
        let wait = min(max(queue.next - now, 0), Self.reportInterval)
        // Rounded up, so as not to come back early and spin.
        epoll.wait(Int32((wait + 999_999) / 1_000_000)) { number in queue.wake(number, at: 0) }
        let begin = now
        now = monotonicNow()
        // Each has one turn, even if it wants another at once.
        while let number = queue.pop(now) { run(number, now) }
        if isBusy, now - begin < Self.gathering { usleep(UInt32((Self.gathering - (now - begin)) / 1000)) }
    }

    private func run(_ number: Int, _ now: Int64) {
        let gateway = gateways[number]
        do throws(MQTTError) {
            queue.wake(number, at: max(try gateway.turn(now, &text, &tally), now + 1))
        } catch {
            // A message that cannot be published at all would be tried for ever: it is told by the error.
            tally.failures += 1
            troubles.note("\(error)")
            queue.wake(number, at: max(gateway.fail(now), now + 1))
        }
        if let reason = gateway.takeRefusal() { troubles.note("the broker refused messages: \(reason)") }
        watch(number, gateway)
    }

    private func watch(_ number: Int, _ gateway: MQTTGateway) {
        guard let descriptor = gateway.descriptor else {
            watched[number] = (-1, false)
            return
        }
        // While it connects, a descriptor may be another one under the same number.
        let wanted = (descriptor, gateway.wantsWrite)
        guard watched[number] != wanted || !gateway.isConnected else { return }
        watched[number] = wanted
        do throws(SimulationError) {
            try epoll.watch(descriptor, as: number, toWrite: wanted.1)
        } catch {
            troubles.note("\(error)")
            queue.wake(number, at: gateway.fail(monotonicNow()))
        }
    }

    private func report(_ now: Int64) {
        tally.gateways = gateways.count
        tally.connected = gateways.count(where: \.isConnected)
        tally.away = gateways.count(where: \.isAway)
        tally.finished = gateways.count { $0.isFinished(now) }
        tally.waitingPoints = gateways.reduce(0) { $0 + $1.sender.waitingPoints(now) }
        isBusy = tally.sentMessages - reportedMessages > 2000
        reportedMessages = tally.sentMessages
        let positions = gateways.map { Report.Position(gateway: $0.sender.gateway, sent: $0.sender.position) }
        let report = Report(tally: tally, troubles: troubles, positions: positions)
        shared.withLock { $0 = report }
        nextReport = now + Self.reportInterval
    }
}

/// Runs some of the gateways, on a thread that is its own business.
protocol Worker: Sendable {
    func start()
    /// The newest there is.
    var report: Report { get }
    var hasEnded: Bool { get }
    /// To be asked for when it has ended.
    var senders: [Sender] { get }
}
