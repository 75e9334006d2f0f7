// A message is in here from `Client.publish` until the broker has answered it, across as many connections as that takes. On each
// connection all of it is sent again, in its order and before anything new, and never more at a time than the broker takes. So
// the broker sees the order in which the messages were published, with jumps back in it: what follows a jump is what came before.

/// Messages that were published and not answered, as they are sent.
///
/// Bounded by the client's options: `Exchange` lets nothing in beyond them.
final class Outbox {
    /// Where a message lies, and what became of it.
    private struct Entry {
        var token: UInt64
        /// Of its first byte; counted from the first message on.
        var place: Int
        var size: Int
        var messageID: UInt16
        var wasSent = false
        var isAnswered = false
    }

    /// The oldest that is not answered, and those behind it, some of which may be; what comes before `first` is done with.
    private var entries: [Entry] = []
    private var first = 0
    /// The first that was not sent on this connection.
    private var next = 0

    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// The place that lies at the memory's beginning, and the one behind the newest message.
    private var base = 0
    private var end = 0

    /// Messages that were sent on this connection, and not answered.
    private(set) var underWay = 0

    deinit { memory.deallocate() }

    /// Messages that are not answered, or wait behind one that is not.
    var count: Int { entries.count - first }
    var hasUnsent: Bool { next < entries.count }
    /// Bytes that are kept.
    var bytes: Int { first < entries.count ? end - entries[first].place : 0 }
    var oldestID: UInt16? { first < entries.count ? entries[first].messageID : nil }
    var newestID: UInt16? { first < entries.count ? entries[entries.count - 1].messageID : nil }

    /// Begins to send all of it again.
    func restart() {
        next = first
        underWay = 0
    }

    /// Keeps a message behind the others.
    func append(_ token: UInt64, _ messageID: UInt16, topic: [UInt8], payload: [UInt8], size: Int) {
        makeRoom(size)
        entries.append(Entry(token: token, place: end, size: size, messageID: messageID))
        Requests.publish(
            messageID, topic, payload, to: UnsafeMutableRawBufferPointer(rebasing: memory[(end - base)...]))
        end += size
    }

    /// The next one to be sent, which counts as sent.
    ///
    /// - Parameter isRepetition: whether the broker may have it from an earlier connection of the same session.
    func takeUnsent(isRepetition: Bool) -> UnsafeRawBufferPointer? {
        while next < entries.count, entries[next].isAnswered { next += 1 }
        guard next < entries.count else { return nil }
        let entry = entries[next]
        let packet = UnsafeMutableRawBufferPointer(
            rebasing: memory[(entry.place - base)..<(entry.place - base + entry.size)])
        packet[0] = entry.wasSent && isRepetition ? Requests.publishAgain : Requests.publish
        entries[next].wasSent = true
        next += 1
        underWay += 1
        return UnsafeRawBufferPointer(packet)
    }

    /// Takes the broker's answer, and forgets the message.
    ///
    /// - Returns: its token; nil if none with the identifier was sent on this connection.
    func answer(_ messageID: UInt16) -> UInt64? {
        guard let place = place(of: messageID), place < next, !entries[place].isAnswered else { return nil }
        entries[place].isAnswered = true
        underWay -= 1
        let token = entries[place].token
        while first < entries.count, entries[first].isAnswered { first += 1 }
        if first == entries.count {
            entries.removeAll(keepingCapacity: true)
            (first, next) = (0, 0)
        } else if first > 1000, first > entries.count / 2 {
            entries.removeFirst(first)
            (first, next) = (0, next - first)
        }
        return token
    }

    /// Whether an identifier is in use.
    func holds(_ messageID: UInt16) -> Bool { place(of: messageID).map { !entries[$0].isAnswered } ?? false }

    /// Identifiers ascend from message to message, going round.
    private func place(of messageID: UInt16) -> Int? {
        guard first < entries.count else { return nil }
        let oldest = entries[first].messageID
        if oldest == messageID { return first }
        func steps(_ messageID: UInt16) -> Int {
            Int(messageID) - Int(oldest) + (messageID < oldest ? Int(UInt16.max) : 0)
        }
        var (low, high) = (first, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if steps(entries[middle].messageID) < steps(messageID) { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].messageID == messageID ? low : nil
    }

    private func makeRoom(_ size: Int) {
        if first == entries.count { base = end }
        guard memory.count - (end - base) < size else { return }
        let kept = bytes
        let start = end - kept
        var capacity = max(memory.count, 4096)
        // With half of it free, what is kept is moved seldom.
        while capacity < 2 * kept + size { capacity *= 2 }
        let from = UnsafeRawBufferPointer(rebasing: memory[(start - base)..<(end - base)])
        if capacity > memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: from)
            memory.deallocate()
            memory = larger
        } else {
            memory.copyMemory(from: from)
        }
        base = start
    }
}
