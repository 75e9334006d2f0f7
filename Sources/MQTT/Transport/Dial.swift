import Glibc

/// The attempt to reach a host at one of its addresses, in turn. Each is given its share of the time that is left.
struct Dial {
    typealias Instant = ContinuousClock.Instant

    private var addresses: ArraySlice<Address>
    private let deadline: Instant
    /// The one that is being reached.
    private(set) var socket: Socket?
    /// When its share is over.
    private var shareEnd: Instant
    /// What became of those before.
    private var failures: [Int32] = []

    /// - Throws: when all have failed already.
    init(_ addresses: [Address], deadline: Instant, now: Instant) throws(Ending) {
        self.addresses = addresses[...]
        self.deadline = deadline
        shareEnd = deadline
        try next(now)
    }

    /// Goes to the next address if this one failed, or took too long.
    ///
    /// - Returns: the socket, once it has reached the host.
    /// - Throws: when no address is left, or no time.
    mutating func advance(_ now: Instant) throws(Ending) -> Socket? {
        while let socket {
            switch socket.reach {
            case .reached: return socket
            case .failed(let error): failures.append(error)
            case .pending:
                guard now >= shareEnd else { return nil }
                guard now < deadline else { throw .timedOut }
                failures.append(ETIMEDOUT)
            }
            try next(now)
        }
        return nil
    }

    private mutating func next(_ now: Instant) throws(Ending) {
        socket = nil
        while let address = addresses.first {
            shareEnd = addresses.count == 1 ? deadline : now + (deadline - now) / addresses.count
            addresses.removeFirst()
            do throws(Ending) {
                socket = try address.connect()
                return
            } catch {
                guard case .system(let errors) = error else { throw error }
                failures += errors
            }
        }
        throw .system(failures)
    }
}
