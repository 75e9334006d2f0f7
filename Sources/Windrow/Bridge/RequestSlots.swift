import Synchronization

/// Bounds how many requests are handled at once.
final class RequestSlots: Sendable {
    /// One of them, given back when the last reference to it goes.
    final class Slot: Sendable {
        private let slots: RequestSlots

        fileprivate init(_ slots: RequestSlots) {
            self.slots = slots
        }

        deinit {
            slots.taken.subtract(1, ordering: .relaxed)
        }
    }

    private let taken = Atomic(0)

    /// nil when `limit` of them are taken.
    func take(of limit: Int) -> Slot? {
        if taken.add(1, ordering: .relaxed).newValue > limit {
            taken.subtract(1, ordering: .relaxed)
            return nil
        }
        return Slot(self)
    }
}
