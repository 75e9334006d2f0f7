import Glibc
import Logging
import Synchronization

/// What a domain's journal needs besides appending and trimming: how fast it grows, what operators have changed in it from outside,
/// and whether they want dead letters accepted again.
///
/// The daemon asks once a second. A journal that nobody writes to costs a look at its files, and nothing else.
actor JournalUpkeep {
    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let journal: Journal
    private let retry: DeadLetterRetry
    private let log: Logger
    private let shared = Mutex(Shared())
    private var reported = ""
    /// SQLite has given back what memory it can do without.
    private var isLean = false

    private struct Shared {
        var isStopping = false
        var isWorking = false
        /// For the dead letters that are retried from now on.
        var rules: IntakeRules?
        var forecast = JournalForecast()
        /// Of the journal's files when it was worked on the last time; nil to do so in any case.
        var seen: Journal.FileMark?
        var workedAt = ContinuousClock.now
    }

    /// Between two looks into a journal whose files seem to be as they were.
    private static let longInterval = Duration.seconds(60)

    init(domain: String, journal: Journal, retry: DeadLetterRetry, log: Logger) {
        executor = ThreadExecutor(name: "upkeep \(domain)")
        self.journal = journal
        self.retry = retry
        self.log = log
    }

    /// nil while the journal does not grow.
    nonisolated var timeUntilFull: Duration? { shared.withLock { $0.forecast.timeUntilFull } }

    /// Does what is due, on a thread of its own as far as it may take time. Comes once a second.
    nonisolated func tick() {
        foresee()
        let mark = journal.fileMark
        let isQuiet = shared.withLock { shared -> Bool? in
            let now = ContinuousClock.now
            let isQuiet = shared.seen == mark && shared.rules == nil && journal.keptBytes == 0
            if shared.isStopping || shared.isWorking || isQuiet && now - shared.workedAt < Self.longInterval {
                return nil
            }
            shared.isWorking = true
            shared.seen = mark
            shared.workedAt = now
            return isQuiet
        }
        if let isQuiet { Task { await work(isQuiet: isQuiet) } }
    }

    /// Has what is under way end soon, and nothing begin.
    nonisolated func stop() {
        shared.withLock { $0.isStopping = true }
    }

    /// Returns when what was under way has ended.
    func finish() {}

    nonisolated func reload(_ rules: IntakeRules) {
        shared.withLock { $0.rules = rules }
    }

    nonisolated private var isStopping: Bool { shared.withLock { $0.isStopping } }

    /// - Parameter isQuiet: nothing was written for a while, as far as the files tell.
    private func work(isQuiet: Bool) {
        if isStopping { return }
        var isDone = false
        do {
            try journal.yieldKeptIfNeeded()
            let isNews = try journal.noticeOthers()
            try journal.countDeadLetters()
            if let rules = shared.withLock({ $0.rules.take() }) { try retry.reload(rules) }
            isDone = try isQuiet && !isNews || retry.run { isStopping }
            if isQuiet, !isLean { journal.releaseMemory() }
            isLean = isQuiet
            reported = ""
        } catch {
            if "\(error)" != reported {
                log.error("cannot look after the journal", metadata: ["error": "\(error)"])
            }
            reported = "\(error)"
        }
        shared.withLock { shared in
            shared.isWorking = false
            if !isDone { shared.seen = nil }
        }
    }

    nonisolated private func foresee() {
        let warning = shared.withLock { shared -> Duration? in
            let tells = shared.forecast.sample(bytes: journal.waitingBytes, room: journal.room, at: .now)
            return tells ? shared.forecast.timeUntilFull : nil
        }
        guard let warning else { return }
        log.warning(
            "the journal is filling up; when it is full, intake pauses",
            metadata: ["full in": "\(Self.text(warning))", "used": "\(journal.usedBytes)"])
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
