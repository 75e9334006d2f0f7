/// Who gets the next connection when a server takes no more: those who were refused stand in line, and those who have a
/// connection give it up when they have done their work, one for each that waits. So all of them get on, if more slowly.
///
/// A plain value; `DatabaseServer` locks it.
struct ConnectionLine {
    typealias Instant = ContinuousClock.Instant

    /// Names one that needs connections.
    struct Ticket: Hashable, Sendable {
        fileprivate var number: Int
    }

    private struct Place {
        var ticket: Ticket
        var seenAt: Instant
    }

    private var lastTicket = 0
    private var places: [Place] = []
    /// Connections that were given up for the line and that nobody in it has got yet.
    private var offered = 0

    /// Whoever has not asked for so long has gone, or is kept from asking: those behind it do not wait for that.
    static let patience = Duration.seconds(2)

    var waiting: Int { places.count }

    mutating func makeTicket() -> Ticket {
        lastTicket += 1
        return Ticket(number: lastTicket)
    }

    /// Whether the server may be asked: always while nobody waits; else by those in front, one for each connection that was given
    /// up, and one at least, for others may leave the server, too. Whoever may not stands in line from now on.
    mutating func mayAsk(_ ticket: Ticket, at now: Instant) -> Bool {
        places.removeAll { $0.ticket != ticket && now - $0.seenAt > Self.patience }
        if places.isEmpty {
            offered = 0
            return true
        }
        let place = stand(ticket, at: now)
        return place < max(offered, 1)
    }

    /// The server takes no more.
    mutating func refused(_ ticket: Ticket, at now: Instant) {
        // Somebody else was faster.
        offered = max(offered - 1, 0)
        _ = stand(ticket, at: now)
    }

    /// Got a connection, or another answer than that there is none.
    mutating func leave(_ ticket: Ticket) {
        guard let place = places.firstIndex(where: { $0.ticket == ticket }) else { return }
        places.remove(at: place)
        offered = max(offered - 1, 0)
    }

    /// Asked by one that has a connection and does not need it just now: whether to close it.
    mutating func wantsConnection(at now: Instant) -> Bool {
        guard let last = places.last, now - last.seenAt <= Self.patience, offered < places.count else { return false }
        offered += 1
        return true
    }

    private mutating func stand(_ ticket: Ticket, at now: Instant) -> Int {
        if let place = places.firstIndex(where: { $0.ticket == ticket }) {
            places[place].seenAt = now
            return place
        }
        places.append(Place(ticket: ticket, seenAt: now))
        return places.count - 1
    }
}
