import Foundation
import Synchronization
import WindrowTestSupport

/// What a gateway sends, and its memory of it.
protocol Load: Sendable {
    /// The next message, which counts as handed over; nil when there are no more.
    mutating func next(injection: Int) -> Handover?
    /// How many of the messages sent last are sent again now.
    mutating func repetition(of sent: Int) -> Int
    /// Whether it goes through a shared subscription.
    static var isShared: Bool { get }
}

extension Load {
    static var isShared: Bool { false }
}

/// A message that is handed over until it is acknowledged.
struct Handover {
    var packet: PublishPacket.Body
    var points: Int
}

/// An MQTT gateway: it keeps some messages under way, and when its connection breaks it sends again, in order, all that was not
/// acknowledged. Now and then it repeats its last messages for no reason.
///
/// What the broker sees is the sequence of messages with jumps back in it: what follows a jump is a suffix of what came before.
final class Gateway<L: Load>: Client, @unchecked Sendable {
    // Sendable unchecked: `load` and what belongs to the connection are its thread's alone, until `isDone`.
    let name: String
    let counters = ClientCounters()
    private(set) var load: L

    private let port: UInt16
    private let course: Course
    private let interval: Duration
    private let window = 200

    private var socket: LoopbackSocket?
    /// Sent and not acknowledged, in order.
    private var outstanding: [(identifier: UInt16, message: Handover)] = []
    /// The last messages, for repetitions.
    private var recent: [Handover] = []
    /// To be sent again without need.
    private var repeated: [Handover] = []
    private var lastIdentifier: UInt16 = 0

    init(name: String, port: UInt16, messagesPerSecond: Int, load: L, course: Course) {
        self.name = name
        self.port = port
        self.load = load
        self.course = course
        interval = .seconds(1) / messagesPerSecond
    }

    func start() {
        let thread = Thread { [self] in
            run()
            counters.isDone.store(true, ordering: .releasing)
        }
        thread.start()
    }

    private func run() {
        var next = ContinuousClock.now
        var isExhausted = false
        while !course.isAborted.load(ordering: .acquiring) {
            do {
                try connectIfNeeded()
                try acknowledge(within: next - .now)
                // What a pause or an outage held up is made up for in part.
                next = max(next, .now - .seconds(1))
                if !repeated.isEmpty {
                    try send(repeated.removeFirst())
                } else if course.takesMore, !isExhausted {
                    guard outstanding.count < window, next <= .now else { continue }
                    next += interval
                    let injection = course.injection.load(ordering: .acquiring)
                    guard let message = load.next(injection: injection) else {
                        isExhausted = true
                        continue
                    }
                    recent.append(message)
                    if recent.count > 20 { recent.removeFirst() }
                    repeated = Array(recent.suffix(load.repetition(of: recent.count)))
                    try send(message)
                } else if outstanding.isEmpty, course.isEnding.load(ordering: .acquiring) || isExhausted {
                    return
                }
            } catch {
                socket = nil
                usleep(50_000)
            }
        }
    }

    private func connectIfNeeded() throws {
        guard socket == nil else { return }
        let socket = try LoopbackSocket(port: port)
        try socket.send(PublishPacket.connect)
        let header = try socket.receive(2)
        guard header[0] == 0x20, try socket.receive(Int(header[1]))[1] == 0 else {
            throw FixtureError("the broker refuses the connection")
        }
        self.socket = socket
        // In one piece: nothing new may come between them.
        let messages = outstanding.map(\.message)
        outstanding.removeAll()
        for message in messages { outstanding.append((takeIdentifier(), message)) }
        try socket.send(outstanding.flatMap { $0.message.packet.packet(identifier: $0.identifier) })
    }

    /// A message counts as under way from here on, also if sending it fails.
    private func send(_ message: Handover) throws {
        let identifier = takeIdentifier()
        outstanding.append((identifier, message))
        counters.outstanding.store(outstanding.count, ordering: .releasing)
        try socket?.send(message.packet.packet(identifier: identifier))
    }

    private func takeIdentifier() -> UInt16 {
        lastIdentifier = lastIdentifier == .max ? 1 : lastIdentifier + 1
        return lastIdentifier
    }

    /// Takes in acknowledgements; waits for one for the time, but not for long.
    private func acknowledge(within wait: Duration) throws {
        guard let socket else { return }
        var wait = min(
            max(wait, outstanding.count >= window || !course.takesMore ? .milliseconds(20) : .zero), .milliseconds(20))
        while socket.hasInput(within: wait) {
            wait = .zero
            let header = try socket.receive(2)
            let body = try socket.receive(Int(header[1]))
            guard header[0] == 0x40, body.count >= 2 else {
                throw FixtureError("the broker sends what is no acknowledgement: \(header)")
            }
            let reason = body.count > 2 ? body[2] : 0
            // 0x10: nobody subscribes to the topic, and the broker has thrown the message away.
            guard reason == 0 else {
                if reason == 0x10, L.isShared, course.hasForgottenShares.load(ordering: .acquiring) {
                    throw FixtureError("nobody subscribes yet")
                }
                course.fail("the broker answered a message of \(name) with reason \(reason)")
                throw FixtureError("the broker refuses a message")
            }
            let identifier = UInt16(body[0]) << 8 | UInt16(body[1])
            guard let place = outstanding.firstIndex(where: { $0.identifier == identifier }) else { continue }
            let message = outstanding.remove(at: place).message
            counters.acknowledge(message.points, injection: course.injection.load(ordering: .acquiring))
            counters.outstanding.store(outstanding.count, ordering: .releasing)
        }
    }
}
