import Glibc
import Synchronization

/// The kernel gave no descriptor for waking a thread.
struct WakeError: Error, CustomStringConvertible {
    var code: Int32
    var description: String { "cannot make a pipe: \(String(cString: strerror(code)))" }
}

/// Lets a thread that polls a socket be told to stop, or that there is something new.
final class Wake: Sendable {
    /// A pipe: readable for ever once `stop()` has written to it, and until the next `wait` after `nudge()`.
    private let reading: Int32
    private let writing: Int32
    private let stopping = Atomic(false)

    init() throws(WakeError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw WakeError(code: errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        close(writing)
    }

    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Ends all waiting, now and later.
    func stop() {
        if stopping.exchange(true, ordering: .acquiringAndReleasing) { return }
        _ = write(writing, [1], 1)
    }

    /// Ends the waiting of now, or the next one.
    func nudge() {
        _ = write(writing, [1], 1)
    }

    /// Waits for the descriptor, if there is one, for `stop()`, `nudge()`, or for the timeout.
    func wait(_ timeout: Duration, for other: Int32? = nil, toRead: Bool = true, toWrite: Bool = false) {
        var entries = [pollfd(fd: reading, events: Int16(POLLIN), revents: 0)]
        if let other {
            let events = (toRead ? POLLIN : 0) | (toWrite ? POLLOUT : 0)
            entries.append(pollfd(fd: other, events: Int16(events), revents: 0))
        }
        let (seconds, attoseconds) = timeout.components
        let milliseconds = min(seconds * 1000 + attoseconds / 1_000_000_000_000_000, Int64(Int32.max))
        // Woken early by a signal or not: every caller looks for itself at what there is to do.
        poll(&entries, nfds_t(entries.count), Int32(milliseconds))
        if entries[0].revents != 0, !isStopping {
            var nudges: [UInt8] = [0, 0, 0, 0]
            _ = Glibc.read(reading, &nudges, nudges.count)
        }
    }
}
