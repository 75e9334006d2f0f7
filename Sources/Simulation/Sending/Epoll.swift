internal import CEpoll
import Glibc

/// Waits for many descriptors at once. epoll(7), level-triggered.
final class Epoll {
    private let descriptor: Int32
    private var events = [epoll_event](repeating: epoll_event(), count: 256)

    init() throws(SimulationError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw SimulationError.system("epoll_create1", errno) }
    }

    deinit { close(descriptor) }

    /// Waits for a descriptor, under a number that `wait` gives back. It may be one that was closed and came again.
    func watch(_ other: Int32, as number: Int, toWrite: Bool) throws(SimulationError) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (toWrite ? EPOLLOUT.rawValue : 0)
        event.data.u64 = UInt64(number)
        if epoll_ctl(descriptor, EPOLL_CTL_MOD, other, &event) == 0 { return }
        guard errno == ENOENT, epoll_ctl(descriptor, EPOLL_CTL_ADD, other, &event) == 0 else {
            throw SimulationError.system("epoll_ctl", errno)
        }
    }

    /// The numbers of those that have something, after at most so many milliseconds.
    func wait(_ milliseconds: Int32, _ body: (Int) -> Void) {
        let count = epoll_wait(descriptor, &events, Int32(events.count), milliseconds)
        // A signal came in between, or nothing did.
        guard count > 0 else { return }
        for event in events[..<Int(count)] { body(Int(event.data.u64)) }
    }
}
