import Dispatch
import Glibc

/// A serial executor whose jobs have a thread to themselves: an actor on it may block, in a C library or in a system call, without
/// holding up Swift's shared threads.
///
/// The thread begins with the first job, and ends a while after the last: an actor that waits suspended costs none.
final class ThreadExecutor: SerialExecutor {
    private struct Jobs: Sendable {
        var waiting: [UnownedJob] = []
        var hasThread = false
        var isClosed = false

        mutating func take() -> [UnownedJob]? {
            if waiting.isEmpty { return nil }
            defer { waiting = [] }
            return waiting
        }
    }

    private let name: String
    private let jobs = Monitor(Jobs())

    /// A thread without jobs stays for so long: making one anew for each would cost more than it holds.
    private static let patience = Duration.seconds(1)
    /// Until a thread is asked for again that the system had none for.
    private static let shortage = DispatchTimeInterval.milliseconds(100)

    /// - Parameter name: what `top -H` and `ps -L` show; cut at 15 bytes.
    init(name: String) {
        self.name = name
    }

    deinit {
        jobs.withLock { $0.isClosed = true }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let hadThread = jobs.withLock { jobs in
            jobs.waiting.append(job)
            defer { jobs.hasThread = true }
            return jobs.hasThread
        }
        if !hadThread { startThread() }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    private func startThread() {
        // The thread holds the queue, not the executor, which it only uses while there are jobs: dropping the executor ends the thread.
        let start = ThreadStart(name: name, executor: asUnownedSerialExecutor()) { [jobs] executor in
            while let batch = Self.next(jobs) {
                for job in batch { job.runSynchronously(on: executor) }
            }
        }
        let context = Unmanaged.passRetained(start)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { context in
                // Balances the passRetained above.
                let start = Unmanaged<ThreadStart>.fromOpaque(context!).takeRetainedValue()
                nameThread(start.name)
                start.body(start.executor)
                return nil
            }, context.toOpaque())
        if failure == 0 {
            pthread_detach(thread)
        } else {
            context.release()
            // Out of threads or memory: the jobs wait.
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.shortage) { self.startThread() }
        }
    }

    /// nil when the thread is to end.
    private static func next(_ jobs: Monitor<Jobs>) -> [UnownedJob]? {
        let found = jobs.wait(timeout: patience) { jobs -> [UnownedJob]?? in
            if let batch = jobs.take() { return .some(batch) }
            return jobs.isClosed ? .some(nil) : nil
        }
        if let found { return found }
        return jobs.withLock { jobs in
            let late = jobs.take()
            jobs.hasThread = late != nil
            return late
        }
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
    let executor: UnownedSerialExecutor
    let body: (UnownedSerialExecutor) -> Void

    init(name: String, executor: UnownedSerialExecutor, body: @escaping (UnownedSerialExecutor) -> Void) {
        self.name = name
        self.executor = executor
        self.body = body
    }
}
