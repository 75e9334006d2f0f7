/// What became of a gateway's messages. As they are sent in the order of their keys, that is a few numbers, whatever their count:
/// up to which one all are answered, and which of those were refused.
struct Ledger: Sendable {
    enum State: Sendable {
        case unsent
        /// It was acknowledged: it must be stored.
        case acknowledged
        /// It was sent, and not acknowledged or refused: it may be stored.
        case open
    }

    struct Flight: Sendable {
        var key: Message.Key
        var points: Int
        /// On the monotonic clock, in nanoseconds.
        var sentAt: Int64
        fileprivate var answer: Answer?
    }

    enum Answer: Sendable {
        case acknowledged, refused
    }

    private(set) var sentThrough: Message.Key?
    private var answeredThrough: Message.Key?
    /// Ascending. What lies between two of them was acknowledged.
    private var refused: [ClosedRange<Message.Key>] = []
    private var endsWithRefused = false
    /// Sent and not answered, in their order; those before `first` are done with.
    private var flights: [Flight] = []
    private var first = 0
    private(set) var pointsUnderWay = 0

    /// Past it, what is acknowledged among refusals counts as open.
    private static let refusalLimit = 100_000

    init() {}

    /// All of a plan that ends was acknowledged.
    init(acknowledgedAllOf plan: Plan) {
        let last = Message.Key((plan.positions ?? 1) - 1, .old)
        (sentThrough, answeredThrough) = (last, last)
    }

    var underWay: Int { flights.count - first }

    mutating func send(_ message: Message, at now: Int64) {
        sentThrough = message.key
        flights.append(Flight(key: message.key, points: message.count, sentAt: now))
        pointsUnderWay += message.count
    }

    /// - Returns: the message; nil if it is not under way.
    mutating func answer(_ key: Message.Key, _ answer: Answer) -> Flight? {
        let place = place(of: key)
        guard place < flights.count, flights[place].key == key, flights[place].answer == nil else { return nil }
        flights[place].answer = answer
        let flight = flights[place]
        pointsUnderWay -= flight.points
        while first < flights.count, let answer = flights[first].answer {
            settle(flights[first].key, answer)
            first += 1
        }
        if first == flights.count {
            flights.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 1000, first > flights.count / 2 {
            flights.removeFirst(first)
            first = 0
        }
        return flight
    }

    /// Answers come in the order of sending, or nearly so.
    private func place(of key: Message.Key) -> Int {
        if first < flights.count, flights[first].key >= key { return first }
        var (low, high) = (first, flights.count)
        while low < high {
            let middle = (low + high) / 2
            if flights[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func settle(_ key: Message.Key, _ answer: Answer) {
        answeredThrough = key
        guard answer == .refused else {
            endsWithRefused = false
            return
        }
        if let last = refused.last, endsWithRefused || refused.count == Self.refusalLimit {
            refused[refused.count - 1] = last.lowerBound...key
        } else {
            refused.append(key...key)
        }
        endsWithRefused = true
    }

    func state(of key: Message.Key) -> State {
        guard let sentThrough, key <= sentThrough else { return .unsent }
        guard let answeredThrough, key <= answeredThrough else { return .open }
        var (low, high) = (0, refused.count)
        while low < high {
            let middle = (low + high) / 2
            if refused[middle].upperBound < key { low = middle + 1 } else { high = middle }
        }
        return low < refused.count && refused[low].contains(key) ? .open : .acknowledged
    }
}
