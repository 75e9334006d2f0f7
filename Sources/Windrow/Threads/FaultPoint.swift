#if DEBUG
    import Glibc
    import Synchronization
#endif

/// A place on the data's path where a debug build can be made to die, so that tests and `windrow-chaos` see what a crash right
/// there leaves behind. A release build has nothing of it.
///
/// `WINDROW_FAULT=flush-before-commit:3` has the process killed by SIGKILL when it passes that place for the third time.
enum FaultPoint: String, CaseIterable {
    /// Batches are written to the journal, in a transaction that is open still.
    case journalBeforeCommit = "journal-before-commit"
    /// They are on the disk; no sender has been told.
    case journalAfterCommit = "journal-after-commit"
    /// MQTT messages are in the journal; their acknowledgements have not left.
    case acksBefore = "acks-before"
    case acksAfter = "acks-after"
    /// Points are in PostgreSQL's transaction, the lane's position is not.
    case flushInTransaction = "flush-in-transaction"
    /// All but COMMIT is done.
    case flushBeforeCommit = "flush-before-commit"
    /// PostgreSQL has committed; the journal is not trimmed and nobody who waits has been told.
    case flushAfterCommit = "flush-after-commit"
    /// What PostgreSQL refuses is kept as dead letters; the rest is not committed.
    case deadLettersKept = "dead-letters-kept"
    case trimAfter = "trim-after"
    /// The outcome of an HTTP request is known and not sent.
    case answerBefore = "answer-before"
    /// `windrow migrate` has made what a conversion needs, but for the triggers.
    case conversionBegun = "conversion-begun"
    /// The triggers are there; nothing is copied.
    case conversionMirrored = "conversion-mirrored"
    /// A slice is stored and not committed.
    case conversionInSlice = "conversion-in-slice"
    /// The tables have swapped their names, in a transaction that is open still.
    case conversionBeforeSwap = "conversion-before-swap"
    case conversionAfterSwap = "conversion-after-swap"

    #if DEBUG
        private static let armed: (point: FaultPoint, count: Int)? = {
            guard let setting = getenv("WINDROW_FAULT").map({ String(cString: $0) }) else { return nil }
            let parts = setting.split(separator: ":")
            guard parts.count == 2, let point = FaultPoint(rawValue: String(parts[0])), let count = Int(parts[1]) else {
                let known = allCases.map(\.rawValue).joined(separator: " ")
                preconditionFailure("WINDROW_FAULT=\(setting): expected POINT:COUNT with a point out of \(known)")
            }
            return (point, count)
        }()
        private static let passed = Atomic(0)
    #endif

    @inline(__always) func pass() {
        #if DEBUG
            guard let armed = Self.armed, armed.point == self else { return }
            if Self.passed.add(1, ordering: .relaxed).newValue == armed.count { kill(getpid(), SIGKILL) }
        #endif
    }
}
