/// The keys of a damaged table that can be read, found from the last one down: at that end are the newest. Pure.
///
/// A lookup that meets a damaged page fails, and so do those for all keys that the page stands for: some ten for a leaf, thousands
/// for a page above leaves. Near a key that fails every one below is tried; farther away ever longer steps are taken.
struct ReadableKeys {
    enum Lookup: Equatable {
        /// The greatest key that is not above the one asked for; above 0.
        case key(Int64)
        /// There is none.
        case nothing
        case damaged
    }

    /// Descending.
    private(set) var found: [Int64] = []
    /// Keys that cannot be read; of those below all that were found only one: nobody knows how many there were.
    private(set) var unreadable = 0
    private(set) var lastUnreadable: Int64?
    /// Keys that are not there, between others that are.
    private(set) var missing = 0

    /// Keys that are tried one by one.
    private static let near: Int64 = 2000

    init(downFrom last: Int64, _ lookup: (Int64) -> Lookup) {
        var next = last
        while next > 0 {
            switch lookup(next) {
            case .nothing: return
            case .key(let key):
                if let above = found.last, key < next, next < above { missing += Int(next - key) }
                found.append(key)
                next = key - 1
            case .damaged:
                lastUnreadable = lastUnreadable ?? next
                guard let below = Self.below(next, lookup), case .key(let key) = lookup(below) else {
                    unreadable += 1
                    return
                }
                unreadable += Int(next - min(key, below))
                next = below
            }
        }
    }

    /// The greatest key below a damaged one for which a lookup succeeds, as far as steps tell; nil when there is none.
    private static func below(_ damaged: Int64, _ lookup: (Int64) -> Lookup) -> Int64? {
        for key in stride(from: damaged - 1, to: max(damaged - near, 0), by: -1) where lookup(key) != .damaged {
            return key
        }
        var (failed, step) = (max(damaged - near, 1), near)
        while failed > 1 {
            let tried = failed > step ? failed - step : failed / 2
            if lookup(tried) == .damaged {
                failed = tried
                step *= 2
                continue
            }
            var readable = tried
            while failed - readable > 1 {
                let middle = readable + (failed - readable) / 2
                if lookup(middle) == .damaged { failed = middle } else { readable = middle }
            }
            return readable
        }
        return nil
    }
}
