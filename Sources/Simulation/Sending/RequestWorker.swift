import NIOCore
import NIOSSL
import Synchronization

/// An event loop with some of the gateways.
///
/// Sendable unchecked: what is not `shared` or constant belongs to the loop, until the worker has ended.
final class RequestWorker: Worker, @unchecked Sendable {
    fileprivate(set) var gateways: [RequestGateway] = []
    var text: MessageText
    var tally = Tally()
    var troubles = Troubles()
    private let course: Course
    private let loop: any EventLoop
    private var reports: RepeatedTask?

    private let shared = Mutex(Report())
    private let ended = Atomic(false)

    /// - Parameter senders: of its gateways, with the delay until each connects.
    init(
        _ senders: [(Sender, delay: Int64)], _ target: RequestTarget, _ tls: NIOSSLContext?, _ text: MessageText,
        course: Course, loop: any EventLoop
    ) {
        self.text = text
        self.course = course
        self.loop = loop
        gateways = senders.map { sender, delay in
            RequestGateway(sender, target, tls, course: course, loop: loop, worker: self, delay: delay)
        }
    }

    var report: Report { shared.withLock { $0 } }
    var hasEnded: Bool { ended.load(ordering: .acquiring) }
    var senders: [Sender] { gateways.map(\.sender) }

    func start() {
        loop.execute { [self] in
            for gateway in gateways { gateway.turn() }
            reports = loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(100)) { [self] task in
                makeReport()
                guard course.isAborted || tally.finished == gateways.count else { return }
                task.cancel()
                for gateway in gateways { gateway.end() }
                ended.store(true, ordering: .releasing)
            }
        }
    }

    private func makeReport() {
        let now = monotonicNow()
        tally.gateways = gateways.count
        tally.connected = gateways.count(where: \.isConnected)
        tally.away = gateways.count(where: \.isAway)
        tally.finished = gateways.count { $0.isFinished(now) }
        tally.waitingPoints = gateways.reduce(0) { $0 + $1.sender.waitingPoints(now) }
        let positions = gateways.map { Report.Position(gateway: $0.sender.gateway, sent: $0.sender.position) }
        let report = Report(tally: tally, troubles: troubles, positions: positions)
        shared.withLock { $0 = report }
    }
}
