import Glibc
import Logging
import Synchronization

/// What a domain's journal needs besides appending and trimming: once a second it looks how fast the journal grows, what operators
/// have changed in it from outside, and whether they want dead letters accepted again.
actor JournalUpkeep {
    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let journal: Journal
    private let retry: DeadLetterRetry
    private let log: Logger
    private let orders = Monitor(Orders())
    private let published = Mutex<Duration?>(nil)
    private var forecast = JournalForecast()

    private struct Orders: Sendable {
        var isStopping = false
        /// For the dead letters that are retried from now on.
        var rules: IntakeRules?
    }

    private static let interval = Duration.seconds(1)

    init(domain: String, journal: Journal, retry: DeadLetterRetry, log: Logger) {
        executor = ThreadExecutor(name: "upkeep \(domain)")
        self.journal = journal
        self.retry = retry
        self.log = log
    }

    /// nil while the journal does not grow.
    nonisolated var timeUntilFull: Duration? { published.withLock { $0 } }

    /// Works until `stop()`.
    func run() {
        var reported = ""
        while orders.wait(timeout: Self.interval, until: { $0.isStopping ? true : nil }) == nil {
            foresee()
            do {
                try journal.yieldKeptIfNeeded()
                try journal.noticeOthers()
                try journal.countDeadLetters()
                if let rules = orders.withLock({ $0.rules.take() }) { try retry.reload(rules) }
                try retry.run { orders.withLock { $0.isStopping } }
                reported = ""
            } catch {
                if "\(error)" != reported {
                    log.error("cannot look after the journal", metadata: ["error": "\(error)"])
                }
                reported = "\(error)"
            }
        }
    }

    nonisolated func stop() {
        orders.withLock { $0.isStopping = true }
    }

    nonisolated func reload(_ rules: IntakeRules) {
        orders.withLock { $0.rules = rules }
    }

    private func foresee() {
        let tells = forecast.sample(bytes: journal.waitingBytes, room: journal.room, at: .now)
        published.withLock { $0 = forecast.timeUntilFull }
        guard tells, let left = forecast.timeUntilFull else { return }
        log.warning(
            "the journal is filling up; when it is full, intake pauses",
            metadata: ["full in": "\(Self.text(left))", "used": "\(journal.usedBytes)"])
    }

    private static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        return switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        default: "\(seconds / 3600) h"
        }
    }
}
