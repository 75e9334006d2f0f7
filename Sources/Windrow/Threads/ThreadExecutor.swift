import Glibc

/// A serial executor with a thread of its own: an actor on it may block, in a C library or in a system call, without holding up
/// Swift's shared threads.
final class ThreadExecutor: SerialExecutor {
    private struct Jobs: Sendable {
        var waiting: [UnownedJob] = []
        var isClosed = false
    }

    private let jobs = Monitor(Jobs())

    /// - Parameter name: what `top -H` and `ps -L` show; cut at 15 bytes.
    init(name: String) {
        // The thread holds the queue, not the executor: dropping the executor ends the thread.
        let start = ThreadStart(name: name) { [jobs] executor in
            while let batch = Self.next(jobs) {
                for job in batch { job.runSynchronously(on: executor) }
            }
        }
        start.executor = asUnownedSerialExecutor()
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { context in
                // Balances the passRetained below.
                let start = Unmanaged<ThreadStart>.fromOpaque(context!).takeRetainedValue()
                nameThread(start.name)
                start.body(start.executor!)
                return nil
            }, Unmanaged.passRetained(start).toOpaque())
        precondition(failure == 0, "cannot start a thread: \(String(cString: strerror(failure)))")
        pthread_detach(thread)
    }

    deinit {
        jobs.withLock { $0.isClosed = true }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.waiting.append(job) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    private static func next(_ jobs: Monitor<Jobs>) -> [UnownedJob]? {
        jobs.wait { state -> [UnownedJob]?? in
            if !state.waiting.isEmpty {
                defer { state.waiting = [] }
                return .some(state.waiting)
            }
            return state.isClosed ? .some(nil) : nil
        } ?? nil
    }
}

/// Names the calling thread (proc_pid_comm(5)). Without /proc it stays nameless.
private func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    let bytes = Array(name.utf8.prefix(15))
    _ = write(file, bytes, bytes.count)
    close(file)
}

/// What a new thread is handed.
private final class ThreadStart {
    let name: String
    let body: (UnownedSerialExecutor) -> Void
    var executor: UnownedSerialExecutor?

    init(name: String, body: @escaping (UnownedSerialExecutor) -> Void) {
        self.name = name
        self.body = body
    }
}
