import Synchronization

/// What the run tells its clients, and what they tell it.
final class Course: Sendable {
    /// The injection under way or being recovered from; 0 in calm times.
    let injection = Atomic(0)
    /// The broker has been started anew, and the daemons may not have subscribed again: mosquitto keeps sessions over a restart, and
    /// forgets that they had shared subscriptions.
    let hasForgottenShares = Atomic(false)
    /// Nothing new is sent while it is set; what is under way is finished.
    let isPaused = Atomic(false)
    /// Nothing new is sent any more.
    let isEnding = Atomic(false)
    /// Set when nothing can be saved: everybody leaves at once.
    let isAborted = Atomic(false)
    private let found = Mutex<[String: Int]>([:])

    /// Notes something that must not be. The same is counted.
    func fail(_ what: String) {
        found.withLock { $0[what, default: 0] += 1 }
    }

    /// What must not be, with how often it was seen.
    var failures: [(what: String, count: Int)] {
        found.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.what < $1.what }
    }

    var takesMore: Bool {
        !isPaused.load(ordering: .acquiring) && !isEnding.load(ordering: .acquiring)
            && !isAborted.load(ordering: .acquiring)
    }
}

/// A client with a thread of its own.
protocol Client: AnyObject, Sendable {
    var name: String { get }
    /// What it does just now, for a report when it does not come to an end.
    var counters: ClientCounters { get }
    func start()
}

/// How far a client is.
final class ClientCounters: Sendable {
    /// Messages or requests that are not acknowledged yet.
    let outstanding = Atomic(0)
    let isDone = Atomic(false)
    private let points = Mutex<[Int: Int]>([:])

    /// Points acknowledged, by the injection under which the acknowledgement came.
    var acknowledged: [Int: Int] { points.withLock { $0 } }

    func acknowledge(_ count: Int, injection: Int) {
        points.withLock { $0[injection, default: 0] += count }
    }
}
