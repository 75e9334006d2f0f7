import Testing

@testable import Windrow

/// A line that `#expect` can ask.
private final class Line {
    private var line = ConnectionLine()

    var waiting: Int { line.waiting }
    func makeTicket() -> ConnectionLine.Ticket { line.makeTicket() }
    func mayAsk(_ ticket: ConnectionLine.Ticket, at now: ConnectionLine.Instant) -> Bool {
        line.mayAsk(ticket, at: now)
    }
    func refused(_ ticket: ConnectionLine.Ticket, at now: ConnectionLine.Instant) { line.refused(ticket, at: now) }
    func leave(_ ticket: ConnectionLine.Ticket) { line.leave(ticket) }
    func wantsConnection(at now: ConnectionLine.Instant) -> Bool { line.wantsConnection(at: now) }
}

@Suite struct ConnectionLineTests {
    private let now = ContinuousClock.now

    /// A line with so many in it, whom the server has refused.
    private func line(of count: Int) -> (line: Line, tickets: [ConnectionLine.Ticket]) {
        let line = Line()
        let tickets = (0..<count).map { _ in line.makeTicket() }
        for ticket in tickets { line.refused(ticket, at: now) }
        return (line, tickets)
    }

    @Test("while nobody waits, everyone may ask, and nobody is to give up a connection")
    func empty() {
        let line = Line()
        let ticket = line.makeTicket()
        #expect(line.mayAsk(ticket, at: now))
        #expect(!line.wantsConnection(at: now))
        line.leave(ticket)
        #expect(line.waiting == 0)
    }

    @Test("the first in line may ask, whoever comes later stands behind, and the next one moves up")
    func order() {
        let (line, tickets) = line(of: 2)
        let late = line.makeTicket()
        #expect(!line.mayAsk(late, at: now))
        #expect(!line.mayAsk(tickets[1], at: now))
        #expect(line.mayAsk(tickets[0], at: now))
        line.leave(tickets[0])
        #expect(!line.mayAsk(late, at: now))
        #expect(line.mayAsk(tickets[1], at: now))
        line.leave(tickets[1])
        #expect(line.mayAsk(late, at: now))
    }

    @Test("as many connections are given up as wait for one, and as many may ask")
    func offers() {
        let (line, tickets) = line(of: 3)
        #expect(line.wantsConnection(at: now))
        #expect(line.wantsConnection(at: now))
        #expect(tickets.map { line.mayAsk($0, at: now) } == [true, true, false])
        #expect(line.wantsConnection(at: now))
        #expect(!line.wantsConnection(at: now), "three wait, and three are on their way")
        line.leave(tickets[0])
        // Another program was faster.
        line.refused(tickets[1], at: now)
        #expect(line.wantsConnection(at: now), "one more is needed")
        #expect(line.waiting == 2)
    }

    @Test("whoever stopped asking holds up nobody")
    func gone() {
        let (line, tickets) = line(of: 2)
        let later = now + .seconds(3)
        #expect(!line.wantsConnection(at: later))
        #expect(line.mayAsk(tickets[1], at: later))
        #expect(line.waiting == 1)
    }

    @Test("with more who need connections than there are, everyone gets its turn")
    func fairness() {
        let line = Line()
        let tickets = (0..<20).map { _ in line.makeTicket() }
        var holders: Set<ConnectionLine.Ticket> = []
        var turns: [ConnectionLine.Ticket: Int] = [:]
        var time = now
        for _ in 0..<200 {
            time += .milliseconds(100)
            for ticket in tickets where !holders.contains(ticket) && line.mayAsk(ticket, at: time) {
                if holders.count < 5 {
                    holders.insert(ticket)
                    line.leave(ticket)
                    turns[ticket, default: 0] += 1
                } else {
                    line.refused(ticket, at: time)
                }
            }
            // Each has done its work.
            for holder in holders.filter({ _ in line.wantsConnection(at: time) }) { holders.remove(holder) }
        }
        let counts = tickets.map { turns[$0] ?? 0 }
        #expect(counts.min()! > 20 && counts.max()! - counts.min()! <= 2, "\(counts)")
    }
}
