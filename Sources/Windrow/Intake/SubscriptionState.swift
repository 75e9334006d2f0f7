import MQTT

/// Where a session stands with its subscriptions.
///
/// The broker keeps a session's subscriptions for longer than a configuration lasts, so the journal remembers which filters were
/// asked for: what the configuration no longer has is unsubscribed.
struct SubscriptionState {
    private(set) var filters: [String]
    private let journal: Journal
    private let session: String

    private var subscribe: MessageID?
    private var unsubscribe: MessageID?
    private var isUnsubscribing = false
    private var isSubscribed = false
    /// By the broker's last answer.
    private(set) var granted: [String] = []
    private var refusals: [(filter: String, reason: ReasonCode)] = []
    private(set) var refusedSince: ContinuousClock.Instant?

    init(filters: [String], journal: Journal, session: String) {
        self.filters = filters
        self.journal = journal
        self.session = session
    }

    var health: DomainHealth.State {
        if let refusal = refusals.first {
            return .failing("the broker refuses the subscription to \(refusal.filter): \(refusal.reason)")
        }
        return isSubscribed ? .working : .failing("connecting")
    }

    /// Other topics are wanted from now on; until the broker has answered, all is as well as it was.
    mutating func want(_ filters: [String]) {
        self.filters = filters
    }

    /// The filters that the session may still hold and the configuration no longer has. Remembers the new ones before they are
    /// asked for, so that a crash in between forgets none.
    func dropped() throws(JournalError) -> [String] {
        let remembered = try journal.subscriptions(of: session)
        let missing = Set(filters).subtracting(remembered)
        if !missing.isEmpty { try journal.setSubscriptions(remembered.union(filters), of: session) }
        return remembered.subtracting(filters).sorted()
    }

    mutating func requested(_ messageID: MessageID) {
        subscribe = messageID
        refusedSince = nil
    }

    mutating func requestedUnsubscribe(_ messageID: MessageID) {
        unsubscribe = messageID
        isUnsubscribing = true
    }

    /// - Returns: the refusals that are new.
    mutating func answered(
        _ messageID: MessageID, _ results: [SubscriptionResult]
    ) -> [(filter: String, reason: ReasonCode)] {
        guard messageID == subscribe else { return [] }
        let before = Set(refusals.map(\.filter))
        refusals = zip(filters, results).compactMap { filter, result in
            if case .refused(let reason) = result { (filter, reason) } else { nil }
        }
        let refused = Set(refusals.map(\.filter))
        granted = filters.filter { !refused.contains($0) }
        refusedSince = refusals.isEmpty ? nil : .now
        isSubscribed = true
        return refusals.filter { !before.contains($0.filter) }
    }

    /// - Returns: whether it is the answer to the last request.
    mutating func unsubscribed(_ messageID: MessageID) -> Bool {
        guard messageID == unsubscribe else { return false }
        isUnsubscribing = false
        return true
    }

    /// Once both answers are there, only the configured filters need remembering.
    func forgetDropped() throws(JournalError) {
        guard isSubscribed, !isUnsubscribing else { return }
        try journal.setSubscriptions(Set(filters), of: session)
    }
}
