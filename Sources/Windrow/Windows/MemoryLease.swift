import Synchronization

/// Memory taken from a budget, given back with the last reference.
final class MemoryLease: Sendable {
    private let budget: MemoryBudget
    private let bytes = Atomic(0)

    init(of budget: MemoryBudget) {
        self.budget = budget
    }

    /// False when there is no more; what was taken before stays taken.
    func grow(by count: Int) -> Bool {
        guard budget.acquire(count, timeout: .zero) else { return false }
        bytes.add(count, ordering: .relaxed)
        return true
    }

    deinit {
        budget.release(bytes.load(ordering: .relaxed))
    }
}
