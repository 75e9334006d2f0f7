import Foundation
import Synchronization
import Testing

@testable import Windrow

@Suite struct BackoffTests {
    @Test("pauses double up to the cap, lie between half and all of their step, and begin anew after a reset")
    func doubles() {
        for _ in 0..<100 {
            var backoff = Backoff(first: .milliseconds(100), cap: .seconds(1))
            for step in [100, 200, 400, 800, 1000, 1000] {
                let pause = backoff.next()
                #expect(pause >= .milliseconds(step) / 2 && pause <= .milliseconds(step))
            }
            backoff.reset()
            #expect(backoff.next() <= .milliseconds(100))
        }
    }

    @Test("two daemons that lose the same server do not come back in step")
    func jitter() {
        let pauses = (0..<20).map { _ in
            var backoff = Backoff(first: .seconds(1), cap: .seconds(1))
            return backoff.next()
        }
        #expect(Set(pauses).count > 1)
    }
}

@Suite struct MonitorTests {
    @Test("a waiter is woken by a change, and gives up when its time is over")
    func waits() async {
        let monitor = Monitor(0)
        let waiter = Task.detached { monitor.wait(timeout: .seconds(30)) { $0 == 3 ? "three" : nil } }
        for _ in 0..<3 { monitor.withLock { $0 += 1 } }
        #expect(await waiter.value == "three")
        let start = ContinuousClock.now
        #expect(monitor.wait(timeout: .milliseconds(50)) { $0 == 4 ? true : nil } == nil)
        #expect(ContinuousClock.now - start >= .milliseconds(50))
    }
}

@Suite struct MemoryBudgetTests {
    @Test("what does not fit waits for room, one piece larger than all is let in alone, and stopping ends the waiting")
    func bounds() async {
        let budget = MemoryBudget(limit: 100)
        #expect(budget.acquire(60))
        #expect(!budget.acquire(60, timeout: .zero))
        let waiter = Task.detached { budget.acquire(60) }
        budget.release(60)
        #expect(await waiter.value)
        #expect(budget.used == 60)
        budget.release(60)
        #expect(budget.acquire(1000))
        let stopped = Task.detached { budget.acquire(1) }
        budget.stop()
        #expect(await stopped.value == false)
        budget.release(1000)
        #expect(budget.acquire(1), "what fits is let in to the end")
    }
}

@Suite struct ThreadExecutorTests {
    private actor Worker {
        nonisolated let executor = ThreadExecutor(name: "a name that is long")
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private var count = 0

        func work() -> Int {
            count += 1
            return count
        }
        func name() throws -> String { try String(contentsOfThreadFile: "comm") }
    }

    @Test("an actor runs on a thread of its own, one call at a time")
    func runs() async throws {
        let worker = Worker()
        let counts = await withTaskGroup { group in
            for _ in 0..<100 { group.addTask { await worker.work() } }
            return await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(counts == Set(1...100))
        #expect(try await worker.name() == "a name that is ")
    }
}

extension String {
    fileprivate init(contentsOfThreadFile name: String) throws {
        let text = try String(contentsOfFile: "/proc/thread-self/\(name)", encoding: .utf8)
        self = text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
