import Glibc

/// State that threads share, with a lock and a way to wait for the state to change.
///
/// Every change made through `withLock` wakes the waiters, so a wake-up can't be forgotten; a wake-up without waiters costs no
/// system call.
// Sendable unchecked: `state` and `suspended` are only touched with the mutex held.
final class Monitor<State: Sendable>: @unchecked Sendable {
    private var state: State
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Tasks that wait without a thread.
    private var suspended: [CheckedContinuation<Void, Never>] = []

    init(_ state: State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Timeouts must not follow a stepped wall clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Changes or reads the state, then wakes whoever waits.
    @discardableResult
    func withLock<R, E: Error>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { unlockChanged() }
        return try body(&state)
    }

    /// Blocks the thread until `ready` answers something; nil when `timeout` (nil: forever) has passed first.
    func wait<R>(timeout: Duration? = nil, until ready: (inout State) -> R?) -> R? {
        let deadline = timeout.map(Self.deadline)
        pthread_mutex_lock(mutex)
        var answer = ready(&state)
        while answer == nil {
            if var deadline {
                if pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT {
                    answer = ready(&state)
                    break
                }
            } else {
                pthread_cond_wait(changed, mutex)
            }
            answer = ready(&state)
        }
        // What was taken may be what another thread waits for (room, for instance).
        if answer != nil { unlockChanged() } else { pthread_mutex_unlock(mutex) }
        return answer
    }

    /// Suspends the task until somebody changes the state, unless there is something to do already. It holds no thread meanwhile, and
    /// may return for nothing.
    func change(unless isReady: @Sendable (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            pthread_mutex_lock(mutex)
            let mustWait = !isReady(state)
            if mustWait { suspended.append(continuation) }
            pthread_mutex_unlock(mutex)
            if !mustWait { continuation.resume() }
        }
    }

    private func unlockChanged() {
        pthread_cond_broadcast(changed)
        if suspended.isEmpty {
            pthread_mutex_unlock(mutex)
            return
        }
        let woken = suspended
        suspended = []
        pthread_mutex_unlock(mutex)
        for task in woken { task.resume() }
    }

    private static func deadline(_ timeout: Duration) -> timespec {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let (seconds, attoseconds) = max(timeout, .zero).components
        let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
        return timespec(
            tv_sec: now.tv_sec + Int(min(seconds, 1_000_000_000)) + nanoseconds / 1_000_000_000,
            tv_nsec: nanoseconds % 1_000_000_000)
    }
}
