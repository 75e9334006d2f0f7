import Synchronization

/// Bounds how many requests are handled at once.
final class Places: Sendable {
    /// One of them, given back when the last reference to it goes.
    final class Place: Sendable {
        private let places: Places

        fileprivate init(_ places: Places) {
            self.places = places
        }

        deinit {
            places.taken.subtract(1, ordering: .relaxed)
        }
    }

    let limit: Int
    private let taken = Atomic(0)

    init(_ limit: Int) {
        self.limit = limit
    }

    /// nil when all are taken.
    func take() -> Place? {
        if taken.add(1, ordering: .relaxed).newValue > limit {
            taken.subtract(1, ordering: .relaxed)
            return nil
        }
        return Place(self)
    }
}
